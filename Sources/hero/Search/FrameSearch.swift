import Engine
import Formats

/// Finds the entries of an index whose best frames fit queries best.
///
/// If an index has more rows than may be read, three steps narrow the frames down. The first reads
/// the signs of all frames, the second the records of those whose signs look best
/// (`FrameEstimates`), the third the rows of those whose records look best.
struct FrameSearch: Sendable {
  /// An entry and the cosine of its best frame.
  typealias Found = (place: Int, score: Float)

  let index: IndexFile
  let scanner: RowScanner
  /// The maximum number of frames that are compared exactly; an index with no more is read whole.
  let rowsRead: Int
  private let estimates: FrameEstimates

  /// The number of rows to read before deciding how many more are needed.
  private static let firstRows = 1024
  /// A frame is skipped if its estimate would have to be wrong by more deviations than this.
  private static let deviations: Float = 2.5
  /// The maximum number of queries answered together, the maximum bytes of their candidates, and
  /// the number of entries that a thread takes at a time.
  private static let together = (queries: 16, bytes: 2 << 30, entries: 8)

  init(_ index: IndexFile, scanner: RowScanner, rowsRead: Int) {
    self.index = index
    self.scanner = scanner
    self.rowsRead = rowsRead
    estimates = FrameEstimates(index, scanner: scanner, rowsRead: rowsRead)
  }

  /// Returns the best entries for queries of unit length, best first.
  ///
  /// The entries are of at least `kept` different videos if there are so many.
  func best(_ units: [[Float]], kept: Int) throws -> [[Found]] {
    guard index.rows > rowsRead else { return try units.map { try everything($0) } }
    var result: [[Found]] = []
    let room = Self.together.bytes / (MemoryLayout<FrameEstimates.Candidate>.stride * index.rows)
    let together = max(1, min(Self.together.queries, room))
    for first in stride(from: 0, to: units.count, by: together) {
      result += try index.file.withBytes { bytes in
        // The maximum rows of one entry, so that enough other entries are read as well.
        let most = max(1, rowsRead / (4 * min(kept, index.count)))
        let asked = units[first..<min(units.count, first + together)].map {
          estimates.ask($0, most: most, bytes)
        }
        return estimates.candidates(asked, bytes).enumerated().map {
          compared(asked[$0].unit, Self.spread($1, most: most), kept: min(kept, index.count), bytes)
        }
      }
    }
    return result
  }

  /// Returns the ranked entries whose cosines are all numbers, as for videos in memory.
  private func everything(_ unit: [Float]) throws -> [Found] {
    let scores = try index.file.withBytes { exact(0..<index.places, unit, $0) }
    return Self.ranked(scores.indices.lazy.filter { !scores[$0].isNaN }.map { ($0, scores[$0]) })
  }

  /// Returns the cosines of a query with the best frame of each entry; NaN where a frame's is NaN.
  private func exact(
    _ places: some RandomAccessCollection<Int>, _ unit: [Float], _ bytes: UnsafeRawBufferPointer
  ) -> [Float] {
    let places = Array(places)
    return [Float](unsafeUninitializedCapacity: places.count) { scores, written in
      nonisolated(unsafe) let scores = scores
      scanner.forEach((places.count + Self.together.entries - 1) / Self.together.entries) { number in
        let own = number * Self.together.entries..<min(places.count, (number + 1) * Self.together.entries)
        for i in own {
          let (segment, entry) = index.place(of: places[i])
          let frames = segment.frames(entry)
          scores[i] = withUnsafeTemporaryAllocation(of: Float.self, capacity: frames.count) { values in
            read(frames, of: segment, unit, bytes, into: values)
            return values.contains { $0.isNaN } ? .nan : values.reduce(-.infinity) { max($0, $1) }
          }
        }
      }
      written = places.count
    }
  }

  /// Returns the standard deviation of errors from their mean.
  ///
  /// Frames chosen by high estimates have a mean error below 0, which other frames do not share.
  private static func deviation(of errors: [Float]) -> Float {
    let errors = errors.filter(\.isFinite)
    let count = Float(max(1, errors.count))
    let mean = errors.reduce(0, +) / count
    return (errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
  }

  private static func ranked(_ found: some Sequence<Found>) -> [Found] {
    found.sorted { $0.score > $1.score || $0.score == $1.score && $0.place < $1.place }
  }

  private func read(
    _ rows: Range<Int>, of segment: IndexFile.Segment, _ unit: [Float], _ bytes: UnsafeRawBufferPointer,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    scanner.products(
      unit, rows: UnsafeRawBufferPointer(rebasing: bytes[segment.rows(rows, index.layout)]),
      normalized: true, into: values)
  }

  // MARK: Rows

  /// Returns the entries of candidates with the exact scores of their best frames.
  private func compared(
    _ unit: [Float], _ candidates: [FrameEstimates.Candidate], kept: Int, _ bytes: UnsafeRawBufferPointer
  ) -> [Found] {
    let enough = FrameEstimates.value(
      reachedBy: Double(max(Self.firstRows, 8 * kept)), of: candidates.map(\.estimate))
    var scores: [Int32: Float] = [:]
    func read(_ some: [FrameEstimates.Candidate]) -> [Float] {
      let values = cosines(some, unit, bytes)
      for (candidate, value) in zip(some, values) where !(scores[candidate.place, default: .nan] >= value) {
        scores[candidate.place] = value
      }
      return values
    }
    let first = candidates.filter { $0.estimate >= enough || !$0.estimate.isFinite }
    let values = read(first)
    if first.count < candidates.count {
      let deviation = Self.deviation(of: zip(first, values).map { $1 - $0.estimate })
      var videos: [Int: Float] = [:]
      for (place, score) in scores where score.isFinite {
        videos[index.video(at: Int(place)), default: -.infinity].raise(to: score)
      }
      let best = videos.values.sorted(by: >)
      let least = best.count < kept ? -.infinity : best[kept - 1] - Self.deviations * deviation
      _ = read(candidates.filter { $0.estimate < enough && $0.estimate >= least })
    }
    var found = Self.ranked(scores.lazy.filter { !$0.value.isNaN }.map { (Int($0.key), $0.value) })
    // The best entries, which have few frames, have all of them compared.
    var left = rowsRead / 4
    let whole = found.prefix { found in
      let (segment, entry) = index.place(of: found.place)
      left -= segment.frames(entry).count
      return left >= 0
    }.prefix(2 * kept)
    let best = exact(whole.map(\.place), unit, bytes)
    for (number, score) in best.enumerated() where score > found[number].score {
      found[number].score = score
    }
    return Self.ranked(found)
  }

  /// Keeps the `most` best candidates of each entry, so that a long entry does not displace others.
  private static func spread(_ candidates: [FrameEstimates.Candidate], most: Int) -> [FrameEstimates
    .Candidate]
  {
    var spread: [FrameEstimates.Candidate] = []
    spread.reserveCapacity(candidates.count)
    var start = 0
    while start < candidates.count {
      var end = start + 1
      while end < candidates.count, candidates[end].place == candidates[start].place { end += 1 }
      let own = candidates[start..<end]
      if own.count <= most {
        spread += own
      } else {
        spread += own.sorted { $0.estimate > $1.estimate || $0.estimate == $1.estimate && $0.row < $1.row }
          .prefix(most)
      }
      start = end
    }
    return spread
  }

  /// Returns the exact cosines of a query with candidates.
  private func cosines(_ some: [FrameEstimates.Candidate], _ unit: [Float], _ bytes: UnsafeRawBufferPointer)
    -> [Float]
  {
    let size = 32
    return [Float](unsafeUninitializedCapacity: some.count) { values, written in
      nonisolated(unsafe) let values = values
      scanner.forEach((some.count + size - 1) / size) { number in
        let own = number * size..<min(some.count, (number + 1) * size)
        func row(_ i: Int) -> UnsafeRawBufferPointer {
          let row = Int(some[i].row)
          let segment = index.place(of: Int(some[i].place)).segment
          return UnsafeRawBufferPointer(rebasing: bytes[segment.rows(row..<row + 1, index.layout)])
        }
        var next = row(own.lowerBound)
        for i in own {
          let stored = next
          if i + 1 < own.upperBound {
            next = row(i + 1)
            scanner.prefetch(next)
          }
          scanner.products(
            unit, rows: stored, normalized: true,
            into: UnsafeMutableBufferPointer(rebasing: values[i..<i + 1]))
        }
      }
      written = some.count
    }
  }
}

extension Float {
  fileprivate mutating func raise(to other: Float) { self = max(self, other) }
}
