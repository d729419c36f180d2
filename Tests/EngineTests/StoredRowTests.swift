import Testing

@testable import Engine

@Suite("Rows in files and their codes")
struct StoredRowTests {
  private func rows(_ count: Int, _ width: Int, around centre: Float = 0) -> [Float] {
    var random = RandomStream(seed: 3, stream: UInt32(width))
    let shared = (0..<width).map { _ in random.normalPair().0 * centre }
    return (0..<count).flatMap { _ in (0..<width).map { shared[$0] + random.normalPair().0 } }
  }

  private func unit(_ x: [Float]) -> [Float] {
    let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return x.map { $0 / length }
  }

  private func dot(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  @Test(arguments: [1, 7, 64, 100, 768]) func exactProducts(_ width: Int) {
    let frames = rows(5, width)
    let encoded = frames.withUnsafeBufferPointer { RowEncoder(width: width).encode($0) }
    let scanner = RowScanner(width: width, threads: 2)
    #expect(encoded.rows.count == 5 * scanner.layout.rowBytes)
    #expect(encoded.code.count == scanner.layout.codeBytes(frames: 5))
    let query = unit(rows(1, width))
    for normalized in [false, true] {
      var products = [Float](repeating: 0, count: 5)
      encoded.rows.withUnsafeBytes { bytes in
        products.withUnsafeMutableBufferPointer {
          scanner.products(query, rows: bytes, normalized: normalized, into: $0)
        }
      }
      for row in 0..<5 {
        let x = Array(frames[row * width..<(row + 1) * width])
        let length = dot(x, x).squareRoot()
        let wanted = dot(query, x) / (normalized ? length : 1)
        // bfloat16 has 8 significant bits: rounding changes an element by up to 1/256 of itself.
        #expect(
          abs(Double(products[row]) - wanted) <= (normalized ? 1 : length) / 256, "\(width), row \(row)")
      }
    }
  }

  /// By how much the estimate of a frame is off: for a factor f = ‖r‖/(a·√w) with a = √(2/π), by ‖r‖·√(1 − a²)/(a·√w).
  private func deviation(_ code: UnsafeRawBufferPointer, _ layout: StoredRowLayout, frame: Int) -> Double {
    let place = layout.meanBytes + frame * layout.frameBytes
    return 0.603 * Double(Float(bitPattern: code.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
  }

  /// Estimates are right on average and off by what `deviation` says; frames that resemble each other are told apart better.
  @Test func estimates() {
    let (width, count) = (768, 400)
    let scanner = RowScanner(width: width, threads: 1)
    var spread: [Double] = []
    for centre: Float in [0, 3] {
      let frames = rows(count, width, around: centre)
      let code = frames.withUnsafeBufferPointer { RowEncoder(width: width).encode($0) }.code
      let query = unit(rows(1, width).map { $0 + 0.01 })
      var estimates = [Float](repeating: 0, count: count)
      var errors: [Double] = []
      code.withUnsafeBytes { bytes in
        estimates.withUnsafeMutableBufferPointer {
          scanner.estimate(scanner.query(query), code: bytes, into: $0)
        }
        for row in 0..<count {
          let x = frames[row * width..<(row + 1) * width]
          let wanted = dot(query, x) / dot(x, x).squareRoot()
          errors.append(
            (Double(estimates[row]) - wanted) / deviation(bytes, scanner.layout, frame: row))
          if row == 0 { spread.append(deviation(bytes, scanner.layout, frame: row)) }
        }
      }
      let mean = errors.reduce(0, +) / Double(count)
      let size = (errors.reduce(0) { $0 + $1 * $1 } / Double(count)).squareRoot()
      #expect(abs(mean) < 0.25 && (0.8...1.25).contains(size), "mean \(mean), deviation \(size)")
    }
    #expect(spread[0] < 0.03 && spread[1] < 0.4 * spread[0])
  }

  @Test func rotationKeepsLengthsAndAngles() {
    for width in [1, 2, 3, 48, 100, 768] {
      let rotation = SignRotation(width: width)
      var (a, b) = (rows(1, width), rows(2, width).suffix(width) + [])
      let before = (dot(a, a), dot(a, b))
      a.withUnsafeMutableBufferPointer { rotation.apply($0) }
      b.withUnsafeMutableBufferPointer { rotation.apply($0) }
      #expect(abs(dot(a, a) - before.0) < 1e-4 * before.0)
      #expect(abs(dot(a, b) - before.1) < 1e-4 * before.0)
    }
  }

  /// Nothing traps on numbers that are none, and nothing that is a number is lost to them.
  @Test func oddNumbers() {
    let width = 16
    let odd: [Float] = [0, -0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, 3e38, -3e38]
    for value in odd {
      let frames = [Float](repeating: value, count: width) + rows(1, width)
      let encoded = frames.withUnsafeBufferPointer { RowEncoder(width: width).encode($0) }
      let scanner = RowScanner(width: width, threads: 1)
      var estimates = [Float](repeating: 0, count: 2)
      encoded.code.withUnsafeBytes { bytes in
        estimates.withUnsafeMutableBufferPointer {
          scanner.estimate(scanner.query(unit(rows(1, width))), code: bytes, into: $0)
        }
      }
      #expect(encoded.rows.count == 2 * scanner.layout.rowBytes)
    }
  }
}
