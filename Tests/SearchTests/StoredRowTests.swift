import CKernels
import Engine
import TestSupport
import Testing

@testable import Search

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

  private func stored(_ frames: [Float], _ width: Int) -> [UInt8] {
    var stored: [UInt8] = []
    frames.withUnsafeBufferPointer { RowEncoder(width: width).append($0, to: &stored) }
    return stored
  }

  @Test(arguments: [1, 7, 64, 100, 768]) func exactProducts(_ width: Int) {
    let frames = rows(5, width)
    let stored = stored(frames, width)
    let scanner = RowScanner(width: width, threads: 2)
    #expect(stored.count == 5 * scanner.layout.rowBytes)
    let query = unit(rows(1, width))
    for normalized in [false, true] {
      var products = [Float](repeating: 0, count: 5)
      stored.withUnsafeBytes { bytes in
        products.withUnsafeMutableBufferPointer {
          scanner.products(query, rows: bytes, normalized: normalized, into: $0)
        }
      }
      for row in 0..<5 {
        let x = Array(frames[row * width..<(row + 1) * width])
        let length = dot(x, x).squareRoot()
        let wanted = dot(query, x) / (normalized ? length : 1)
        // bfloat16 has 8 significant bits, so rounding changes an element by at most 1/256 of
        // itself.
        #expect(
          abs(Double(products[row]) - wanted) <= (normalized ? 1 : length) / 256, "\(width), row \(row)")
      }
    }
  }

  /// Returns estimates of all frames from their signs and from their records.
  private func estimates(
    _ scanner: RowScanner, _ query: CodedQuery, _ codes: [UInt8], _ count: Int
  ) -> (signs: [Float], records: [Float]) {
    let layout = FrameCodeLayout(width: scanner.layout.width)
    var result: (signs: [Float], records: [Float]) = ([], [])
    codes.withUnsafeBytes { bytes in
      let codes = FrameCodes(layout: layout, count: count, bytes: bytes)
      let centre = scanner.centre(query, codes)
      for block in 0..<layout.blocks(frames: count) {
        let frames = layout.frames(ofBlock: block, of: count)
        var values = [Float](repeating: 0, count: FrameCodeLayout.blockFrames)
        values.withUnsafeMutableBufferPointer {
          scanner.estimates(query, signs: codes, block: block, centre: centre, into: $0)
        }
        result.signs += values[..<frames.count]
        var numbers = (0..<UInt32(frames.count)).map { $0 }
        values.withUnsafeMutableBufferPointer { values in
          numbers.withUnsafeMutableBufferPointer {
            scanner.estimates(
              query, records: codes, block: block, $0, centre: centre, into: values)
          }
        }
        result.records += values[..<frames.count]
      }
    }
    return result
  }

  /// Estimates from records are unbiased, with the error of a uniform quantizer of four levels.
  ///
  /// It keeps 88 % of the variance of a normal element, so the error is √(1 / 0.88 − 1) = 0.37 of
  /// ‖r‖/√width. Estimates from signs hold (2/π)·0.8·0.96 of the variance, by the elements that are
  /// read.
  @Test(arguments: [0, 3] as [Float]) func estimatesAreRight(_ around: Float) {
    let (width, count) = (768, 600)
    let scanner = RowScanner(width: width, threads: 1)
    let frames = rows(count, width, around: around)
    let codes = FrameCodeEncoder(width: width).encode(stored(frames, width))
    var random = RandomStream(seed: 9, stream: 0)
    let query = unit((0..<width).map { _ in random.normalPair().0 })
    let found = estimates(scanner, scanner.query(query), codes, count)
    let exact = (0..<count).map { row -> Double in
      let x = frames[row * width..<(row + 1) * width]
      return dot(query, x) / dot(x, x).squareRoot()
    }
    let mean = exact.reduce(0, +) / Double(count)
    func deviation(_ x: [Double]) -> Double { (x.reduce(0) { $0 + $1 * $1 } / Double(count)).squareRoot() }
    let spread = deviation(exact.map { $0 - mean })
    let errors = paired(found.records, exact).map { Double($0) - $1 }
    #expect(abs(errors.reduce(0, +) / Double(count)) < 0.1 * spread)
    #expect((0.28...0.46).contains(deviation(errors) / spread), "\(deviation(errors) / spread)")
    let average = found.signs.reduce(0) { $0 + Double($1) } / Double(count)
    let signs = found.signs.map { Double($0) - average }
    let together = paired(signs, exact).reduce(0) { $0 + $1.0 * ($1.1 - mean) } / Double(count)
    let correlation = together / (deviation(signs) * spread)
    // √0.49 = 0.70, within 0.1 for 600 frames.
    #expect((0.6...0.8).contains(correlation), "\(correlation)")
    // The mean of the estimates is near that of all frames.
    #expect(abs(average - mean) < 0.5 * spread)
  }

  /// The same rows have the same codes for any number of blocks and threads.
  @Test func codesDoNotDependOnThreads() {
    let (width, count) = (20, 17_000)
    let rows = stored(self.rows(count, width), width)
    let one = FrameCodeEncoder(width: width).encode(rows, threads: 1)
    #expect(one.count == FrameCodeLayout(width: width).bytes(frames: count))
    #expect(FrameCodeEncoder(width: width).encode(rows, threads: 3) == one)
  }

  /// Kernels agree with loops over bits, for full, padded and stepwise blocks.
  @Test(arguments: [512, 1536, 8192], [1, 3, 40, 300]) func planes(_ frames: Int, _ width: Int) throws {
    var random = RandomStream(seed: 4, stream: UInt32(width))
    let stride = frames / 8
    var block = (0..<4 * frames + width * stride).map { _ in UInt8(random.uniform() * 255) }
    for frame in 0..<frames { (block[2 * frame], block[2 * frame + 1]) = (UInt8(frame % 128), 0x3f) }
    let weights = (0..<width).map { _ in Int(random.uniform() * 15) - 7 }
    let (planes, places, inverted) = groups(of: weights)
    let total = weights.reduce(0) { $0 + abs($1) }
    try #require(total < 4096)
    for kernels in KernelSets.all {
      for (first, count) in [(0, frames), (frames - 512, 512)] {
        var out = [Float](repeating: 0, count: count)
        var query = hero_plane_query()
        planes.withUnsafeBufferPointer { planes in
          places.withUnsafeBufferPointer { places in
            inverted.withUnsafeBufferPointer { inverted in
              query.planes = planes.baseAddress
              query.places = places.baseAddress
              query.inverted = inverted.baseAddress
              query.groups = places.count
              query.levels = Int.bitWidth - total.leadingZeroBitCount
              (query.scale, query.shift, query.centre) = (0.5, 3, 0.25)
              kernels.plane_estimates(&out, block, stride, first, count, &query)
            }
          }
        }
        for i in 0..<count {
          let frame = first + i
          let sum = (0..<width).reduce(0) { sum, element in
            let bit = Int(block[4 * frames + element * stride + frame / 8] >> UInt8(frame % 8)) & 1
            return sum + abs(weights[element]) * (weights[element] < 0 ? 1 - bit : bit)
          }
          let factor = Float(bitPattern: 0x3f00_0000 | UInt32(frame % 128) << 16)
          let wanted = factor * (Float(sum) * 0.5 - 3) + 0.25
          guard abs(out[i] - wanted) <= 1e-5 * max(1, abs(wanted)) else {
            Issue.record("\(String(cString: kernels.name)), frame \(frame): \(out[i]), not \(wanted)")
            return
          }
        }
      }
    }
  }

  private func groups(of weights: [Int]) -> ([UInt32], [UInt8], [UInt8]) {
    var (planes, places, inverted): ([UInt32], [UInt8], [UInt8]) = ([], [], [])
    for place in 0..<3 {
      for isNegative in [false, true] {
        let own = weights.indices.filter {
          abs(weights[$0]) >> place & 1 == 1 && (weights[$0] < 0) == isNegative
        }
        for start in stride(from: 0, to: own.count, by: 16) {
          let group = own[start..<min(own.count, start + 16)].map { UInt32($0) }
          planes += group + Array(repeating: UInt32.max, count: 16 - group.count)
          places.append(UInt8(place))
          inverted.append(isNegative ? 1 : 0)
        }
      }
    }
    return (planes, places, inverted)
  }

  @Test(arguments: [1, 6, 11]) func levels(_ groups: Int) {
    var random = RandomStream(seed: 5, stream: 0)
    let (count, bytes) = (30, 32 * groups)
    var records = (0..<count * bytes).map { _ in UInt8(random.uniform() * 256) }
    // The first record has the largest codes.
    for i in 0..<bytes { records[i] = 0xff }
    let factors = (0..<count).flatMap { number -> [UInt8] in [UInt8(number), 0x3f] }
    let query = (0..<128 * groups).map { $0 < 128 ? Int8(127) : Int8(random.uniform() * 254 - 127) }
    let numbers = (0..<UInt32(count)).filter { $0 % 3 != 1 }
    for kernels in KernelSets.all {
      var out = [Float](repeating: 0, count: numbers.count)
      kernels.code_estimates(&out, records, factors, numbers, numbers.count, groups, query, 2, 5, -1)
      for (value, number) in paired(out, numbers) {
        let sum = query.indices.reduce(0) { sum, i in
          let byte = records[Int(number) * bytes + i / 128 * 32 + i % 32]
          return sum + Int(query[i]) * Int(byte >> UInt8(2 * (i % 128 / 32)) & 3)
        }
        let factor = Float(bitPattern: 0x3f00_0000 | UInt32(number) << 16)
        let wanted = factor * (Float(sum) * 2 - 5) - 1
        #expect(abs(value - wanted) <= 1e-6 * abs(wanted), "\(String(cString: kernels.name))")
      }
    }
  }

  @Test func whatReachesAThreshold() {
    let odd: [Float] = [.nan, 1, 2, -.infinity, .infinity, 1.5]
    for count in [0, 1, 5, 16, 17, 31, 32, 100] {
      let x = (0..<count).map { odd[$0 % odd.count] }
      for kernels in KernelSets.all {
        for threshold: Float in [1.5, -.infinity, .infinity, .nan] {
          var numbers = [UInt32](repeating: 0, count: count)
          let found = kernels.reaching(&numbers, x, count, threshold)
          #expect(numbers[..<found].map(Int.init) == x.indices.filter { x[$0] >= threshold })
        }
      }
    }
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

  /// Non-finite numbers never trap, and do not affect the estimates of other rows.
  @Test func oddNumbers() {
    let width = 16
    let odd: [Float] = [0, -0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, 3e38, -3e38]
    let scanner = RowScanner(width: width, threads: 1)
    for value in odd {
      let rows = stored([Float](repeating: value, count: width) + self.rows(3, width), width)
      let codes = FrameCodeEncoder(width: width).encode(rows)
      for query in [unit(self.rows(1, width)), [Float](repeating: value, count: width)] {
        let found = estimates(scanner, scanner.query(query), codes, 4)
        let isUsable = query.allSatisfy { abs($0) <= 1 }
        #expect(!isUsable || found.records[1...].allSatisfy(\.isFinite), "\(value)")
        #expect(!isUsable || found.signs[1...].allSatisfy(\.isFinite), "\(value)")
      }
    }
  }
}
