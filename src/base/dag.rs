//! A directed graph that cannot have a cycle.

/// Names a node of one [`Dag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// Position in the order of insertion.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A graph whose nodes depend only on nodes that were added before them, so insertion order is a topological order.
#[derive(Clone, Debug, Default)]
pub struct Dag<N> {
    nodes: Vec<(N, Vec<NodeId>)>,
}

impl<N> Dag<N> {
    /// An empty graph.
    pub fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Adds a node that needs `dependencies` first. Duplicate dependencies count once.
    ///
    /// # Panics
    /// If a dependency is of another graph: ids only come from this function.
    pub fn add(&mut self, node: N, mut dependencies: Vec<NodeId>) -> NodeId {
        dependencies.sort_unstable();
        dependencies.dedup();
        assert!(dependencies.iter().all(|id| id.0 < self.nodes.len()), "a dependency of another graph");
        self.nodes.push((node, dependencies));
        NodeId(self.nodes.len() - 1)
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node called `id`.
    pub fn node(&self, id: NodeId) -> &N {
        &self.nodes[id.0].0
    }

    /// What `id` needs first.
    pub fn dependencies(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id.0].1
    }

    /// All nodes, dependencies before dependents.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, &N)> {
        self.nodes.iter().enumerate().map(|(index, (node, _))| (NodeId(index), node))
    }

    /// For each node, the nodes that wait for it.
    pub fn dependents(&self) -> Vec<Vec<NodeId>> {
        let mut dependents = vec![Vec::new(); self.nodes.len()];
        for (index, (_, dependencies)) in self.nodes.iter().enumerate() {
            for dependency in dependencies {
                dependents[dependency.0].push(NodeId(index));
            }
        }
        dependents
    }

    /// For each node, the length of the longest way to a node that nothing waits for; the critical path starts at the
    /// largest.
    pub fn heights(&self) -> Vec<usize> {
        let mut heights = vec![0; self.nodes.len()];
        for (index, (_, dependencies)) in self.nodes.iter().enumerate().rev() {
            for dependency in dependencies {
                heights[dependency.0] = heights[dependency.0].max(heights[index] + 1);
            }
        }
        heights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_and_dependents() {
        let mut dag = Dag::new();
        let a = dag.add("a", vec![]);
        let b = dag.add("b", vec![a, a]);
        let c = dag.add("c", vec![a, b]);
        assert_eq!(dag.dependencies(b), [a]);
        assert_eq!(dag.dependents(), [vec![b, c], vec![c], vec![]]);
        assert_eq!(dag.heights(), [2, 1, 0]);
    }
}
