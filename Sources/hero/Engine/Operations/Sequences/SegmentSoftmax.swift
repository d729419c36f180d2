import CCUDA
import Foundation

/// Each segment of x, [1, segments.rows], becomes its softmax.
public struct SegmentSoftmax: Operation {
  let x: Tensor
  let segments: Segments

  /// - Parameter x: one element for each row of the segments.
  public init(_ x: Tensor, segments: Segments) { (self.x, self.segments) = (x, segments) }

  /// Checks that there are as many elements as rows.
  public func check() { precondition(x.count == segments.rows) }
  /// The elements and the starts of the segments.
  public var reads: [(any Operand)?] { [x, segments.starts] }
  /// The elements.
  public var writes: [(any Operand)?] { [x] }

  /// Divides the segments among all threads.
  public func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let p = staged.writing(x, keeps: true).pointer
    cpu.pool.split(segments.count, grain: 32) { range, _ in
      for s in range where !segments[s].isEmpty {
        let row = UnsafeMutableBufferPointer(start: p + segments[s].lowerBound, count: segments[s].count)
        let most = row.max() ?? 0
        var total: Float = 0
        for i in row.indices {
          row[i] = exp(row[i] - most)
          total += row[i]
        }
        for i in row.indices { row[i] /= total }
      }
    }
  }

  /// Runs a block of threads for each segment.
  public func run(on gpu: CUDABackend) {
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.starts) = (x.view, segments.numbers)
    gpu.launch(.segmentSoftmax, rows: segments.count, arguments)
  }
}
