/// The memory of the gradients of a store's parameters, in blocks of adjoining parameters.
///
/// A block takes its memory when its first gradient arrives in a backward pass, and returns it when
/// the gradients are cleared. So the gradients share memory with the activations that the backward
/// pass has moved past.
struct GradientBlocks {
  private struct Block {
    let range: Range<Int>
    /// The gradients, [1, elements]; nil until the first one arrives.
    var memory: Tensor?
  }

  private var blocks: [Block] = []
  private let backend: any Backend

  /// - Parameters:
  ///   - joints: offsets of parameters that must lie in one block with the parameter before.
  ///   - size: the approximate number of elements of a block; a larger parameter has its own block.
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

  /// Returns the number of the block that holds an element.
  func number(of element: Int) -> Int {
    var (low, high) = (0, blocks.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if blocks[middle].range.lowerBound <= element { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// Returns the gradients of a range that lies in one block.
  mutating func slice(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    let number = number(of: range.lowerBound)
    let block = blocks[number].range
    let memory = blocks[number].memory ?? backend.makeTensor(rows: 1, columns: block.count)
    blocks[number].memory = memory
    let start = range.lowerBound - block.lowerBound
    return memory.slice(start..<start + range.count, rows: rows, columns: columns)
  }

  /// Returns the gradients of a range in pieces, each within one block.
  mutating func pieces(of range: Range<Int>) -> [Tensor] {
    (number(of: range.lowerBound)...number(of: range.upperBound - 1)).map { number in
      let own = range.clamped(to: blocks[number].range)
      return slice(own, rows: 1, columns: own.count)
    }
  }

  /// Returns the memory to the backend; a small model's only block keeps it.
  mutating func clear() {
    guard blocks.count > 1 else { return }
    for number in blocks.indices { blocks[number].memory = nil }
  }
}
