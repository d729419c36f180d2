/// An automaton that finds the longest match of several patterns at once.
///
/// It is nondeterministic (Thompson's construction). Its deterministic states are created when a
/// text first needs them, and cached.
final class LexerAutomaton {
  private struct Node {
    /// The node to enter after a character of the set.
    var step: (set: LexerSet, next: Int)?
    /// The nodes to enter without reading.
    var free: [Int] = []
    /// The pattern that ends here, if any.
    var accepts: Int?
  }

  private struct State {
    var nodes: [Int]
    /// The first of the patterns that end here, if any.
    var accepts: Int?
    /// The next state by character; `dead` if there is none.
    var next: [UInt16: Int] = [:]
  }

  /// A state at a position of a text.
  private struct Passed: Hashable {
    var state: Int
    var position: Int
  }

  private static let dead = -1
  /// The distance between the positions that are remembered.
  private static let stride = 64
  /// The states from which no pattern ends any more, by position in the current text.
  private var hopeless: Set<Passed> = []
  private var nodes: [Node] = []
  private var states: [State] = []
  private var numbers: [[Int]: Int] = [:]
  private var startState = 0

  init(_ patterns: [LexerPattern]) {
    nodes.append(Node())
    for (number, pattern) in patterns.enumerated() {
      let end = addNode()
      nodes[end].accepts = number
      nodes[0].free.append(add(pattern, before: end))
    }
    startState = state(of: [0])
  }

  /// Forgets the text before.
  func begin() { hopeless.removeAll() }

  /// Reads from `start` as far as any pattern can match.
  ///
  /// A scan may run far in vain, as behind an unclosed tag. A later scan stops if it reaches one of
  /// its positions in the same state. Reading a text token by token thus takes linear time (Reps,
  /// "Maximal munch" tokenization in linear time, TOPLAS 1998).
  ///
  /// - Parameter visit: is called for each position where patterns end, in ascending order, with
  ///   the first of them.
  func scan(_ text: [UInt16], from start: Int, visit: (_ end: Int, _ pattern: Int) -> Void) {
    var state = startState
    var position = start
    var passed: [Passed] = []
    while true {
      if let pattern = states[state].accepts {
        visit(position, pattern)
        passed.removeAll(keepingCapacity: true)
      }
      if position % Self.stride == 0, position > start {
        let here = Passed(state: state, position: position)
        if states[state].accepts == nil, hopeless.contains(here) { break }
        passed.append(here)
      }
      guard position < text.count else { break }
      state = next(state, text[position])
      guard state != Self.dead else { break }
      position += 1
    }
    hopeless.formUnion(passed)
  }

  /// Returns whether the first pattern matches exactly this part of a text.
  func matches(_ text: [UInt16], _ range: Range<Int>) -> Bool {
    var state = startState
    for position in range {
      state = next(state, text[position])
      guard state != Self.dead else { return false }
    }
    return states[state].accepts != nil
  }

  private func next(_ state: Int, _ unit: UInt16) -> Int {
    if let known = states[state].next[unit] { return known }
    let reached = states[state].nodes.compactMap { node -> Int? in
      guard let step = nodes[node].step, step.set.contains(unit) else { return nil }
      return step.next
    }
    let next = reached.isEmpty ? Self.dead : self.state(of: reached)
    states[state].next[unit] = next
    return next
  }

  /// Returns the number of the state for these nodes and all that they reach without reading.
  private func state(of start: [Int]) -> Int {
    var seen = Set(start)
    var open = start
    while let node = open.popLast() {
      for next in nodes[node].free where seen.insert(next).inserted { open.append(next) }
    }
    let members = seen.filter { nodes[$0].step != nil || nodes[$0].accepts != nil }.sorted()
    if let known = numbers[members] { return known }
    let accepts = members.compactMap { nodes[$0].accepts }.min()
    states.append(State(nodes: members, accepts: accepts))
    numbers[members] = states.count - 1
    return states.count - 1
  }

  private func addNode() -> Int {
    nodes.append(Node())
    return nodes.count - 1
  }

  /// Adds the nodes of a pattern that `end` follows, and returns the first node.
  private func add(_ pattern: LexerPattern, before end: Int) -> Int {
    switch pattern {
    case .set(let set):
      let node = addNode()
      nodes[node].step = (set, end)
      return node
    case .sequence(let parts):
      return parts.reversed().reduce(end) { add($1, before: $0) }
    case .choice(let parts):
      let node = addNode()
      for part in parts { nodes[node].free.append(add(part, before: end)) }
      return node
    case .repeated(let part, let minimum, let maximum):
      var first = end
      if let maximum {
        for _ in minimum..<max(minimum, maximum) {
          let node = addNode()
          nodes[node].free = [add(part, before: first), end]
          first = node
        }
      } else {
        let loop = addNode()
        nodes[loop].free = [add(part, before: loop), end]
        first = loop
      }
      for _ in 0..<minimum { first = add(part, before: first) }
      return first
    }
  }
}
