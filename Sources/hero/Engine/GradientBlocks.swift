/// Where the gradients of a store's parameters lie: in blocks of adjoining parameters.
///
/// A block takes its memory when the first of its gradients arrives, late in a backward pass or
/// early, and gives it back when the gradients are cleared. So the results that a backward pass has
/// moved past and the gradients that it makes share memory.
struct GradientBlocks {
  private struct Block {
    let range: Range<Int>
    /// Nil while none of its parameters has a gradient.
    var memory: Tensor?
  }

  private var blocks: [Block] = []
  private let backend: any Backend

  /// - Parameters:
  ///   - joints: where parameters meet that must lie in one block.
  ///   - size: elements of a block, about; a larger parameter has a block of its own.
  init(_ parameters: [Parameter], joints: Set<Int>, size: Int, backend: any Backend) {
    self.backend = backend
    var range = 0..<0
    for parameter in parameters {
      let end = parameter.range.upperBound
      if end - range.lowerBound > size, !range.isEmpty, !joints.contains(parameter.offset) {
        blocks.append(Block(range: range))
        range = parameter.range
      } else {
        range = range.lowerBound..<end
      }
    }
    blocks.append(Block(range: range))
  }

  /// The block that an element lies in.
  func number(of element: Int) -> Int {
    var (low, high) = (0, blocks.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if blocks[middle].range.lowerBound <= element { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// The gradients of a range that lies in one block.
  mutating func slice(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    let number = number(of: range.lowerBound)
    let block = blocks[number].range
    let memory = blocks[number].memory ?? backend.makeTensor(rows: 1, columns: block.count)
    blocks[number].memory = memory
    let start = range.lowerBound - block.lowerBound
    return memory.slice(start..<start + range.count, rows: rows, columns: columns)
  }

  /// The gradients of a range, in pieces that lie in one block each.
  mutating func pieces(of range: Range<Int>) -> [Tensor] {
    (number(of: range.lowerBound)...number(of: range.upperBound - 1)).map { number in
      let own = range.clamped(to: blocks[number].range)
      return slice(own, rows: 1, columns: own.count)
    }
  }

  /// Gives the memory back; a small model's stays.
  mutating func clear() {
    guard blocks.count > 1 else { return }
    for number in blocks.indices { blocks[number].memory = nil }
  }
}
