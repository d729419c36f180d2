import Engine

/// A fixed rotation that spreads a vector's length evenly over its elements.
///
/// Signs then carry the most information. Each of four rounds flips signs drawn from Philox and
/// applies a Walsh–Hadamard transform, by turns to the first and to the last 2^k elements. 2^k is
/// the largest power of two that fits. Every step is orthogonal. The cost is w·log w additions.
struct SignRotation: Sendable {
  let width: Int
  private let block: Int
  private let signs: [[Float]]

  init(width: Int) {
    precondition(width > 0)
    self.width = width
    var block = 1
    while 2 * block <= width { block *= 2 }
    self.block = block
    var random = RandomStream(seed: 0x51C5, stream: 0)
    signs = (0..<4).map { _ in (0..<width).map { _ in random.uniform() < 0.5 ? -1 : 1 } }
  }

  func apply(_ x: UnsafeMutableBufferPointer<Float>) {
    precondition(x.count == width)
    for round in 0..<4 {
      for i in 0..<width { x[i] *= signs[round][i] }
      let first = round % 2 == 0 ? 0 : width - block
      transform(UnsafeMutableBufferPointer(rebasing: x[first..<first + block]))
    }
  }

  private func transform(_ x: UnsafeMutableBufferPointer<Float>) {
    var half = 1
    while half < block {
      var start = 0
      while start < block {
        for i in start..<start + half {
          let (a, b) = (x[i], x[i + half])
          x[i] = a + b
          x[i + half] = a - b
        }
        start += 2 * half
      }
      half *= 2
    }
    let scale = 1 / Float(block).squareRoot()
    for i in 0..<block { x[i] *= scale }
  }
}
