import CCUDA

/// out[m, s] = max over the columns of segment s of x[m, ·], with its column in `places`.
///
/// x: [m, segments.rows]. Of equals the first counts. A segment with NaNs has the first of them, as
/// in PyTorch; one without columns has 0 and place −1.
package struct SegmentMax: Operation {
  package let x: Tensor
  package let segments: Segments
  package let places: Indices
  package let out: Tensor

  package func check() {
    precondition(x.columns == segments.rows && out.rows == x.rows && out.columns == segments.count)
    precondition(places.count == out.count)
  }

  package var reads: [(any Operand)?] { [x, segments.starts] }
  package var writes: [(any Operand)?] { [places, out] }

  package func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (from, to, place) = (staged.reading(x).pointer, staged.writing(out).pointer, places.pointer)
    cpu.pool.split(x.rows, grain: 1 + (1 << 12) / max(1, x.columns)) { range, _ in
      for r in range {
        let row = from + r * x.columns
        for s in 0..<segments.count {
          let columns = segments[s]
          var (best, most) = (columns.lowerBound, columns.isEmpty ? 0 : row[columns.lowerBound])
          // Not `>`: a NaN ranks above all numbers, and the first one ends the search.
          for c in columns where !(row[c] <= most) {
            (best, most) = (c, row[c])
            if most.isNaN { break }
          }
          to[r * segments.count + s] = most
          place[r * segments.count + s] = columns.isEmpty ? -1 : Int32(best)
        }
      }
    }
  }

  package func run(on gpu: CUDABackend) {
    var arguments = hero_most_arguments()
    (arguments.x, arguments.out, arguments.starts, arguments.places) = (
      x.view, out.view, segments.numbers, places.numbers
    )
    (arguments.rows, arguments.columns, arguments.segments) = (
      Int64(x.rows), Int64(x.columns), Int64(segments.count)
    )
    gpu.launch(.segmentMax, grid: ((out.count + 3) / 4, 1, 1), block: 128, arguments)
  }
}

struct SegmentMaxBackward: Operation {
  let dy: Tensor
  let segments: Segments
  let places: Indices
  let dx: GradientTarget

  func check() { precondition(places.count == dy.count && dx.tensor.columns == segments.rows) }
  var reads: [(any Operand)?] { [dy, places] }
  var writes: [(any Operand)?] { [dx] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let dx = staged.writing(dx)
    let (gradient, place, to) = (staged.reading(dy).pointer, places.pointer, dx.tensor.pointer)
    let columns = dx.tensor.columns
    cpu.pool.split(dx.tensor.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
      for r in range {
        if !dx.accumulate { (to + r * columns).update(repeating: 0, count: columns) }
        for s in 0..<segments.count where place[r * segments.count + s] >= 0 {
          to[r * columns + Int(place[r * segments.count + s])] += gradient[r * segments.count + s]
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    if !dx.accumulate { gpu.run(Fill(dx.tensor, with: 0)) }
    var arguments = hero_most_arguments()
    (arguments.dy, arguments.dx, arguments.places) = (dy.view, dx.tensor.view, places.numbers)
    (arguments.rows, arguments.columns, arguments.segments) = (
      Int64(dx.tensor.rows), Int64(dx.tensor.columns), Int64(segments.count)
    )
    gpu.launch(.segmentMaxBackward, elements: dy.count, arguments)
  }
}
