import Engine
import Formats
import Model
import Tasks

/// The videos of an index as something to search among.
///
/// Memory stays bounded however many there are: codes are read where they lie, one number an entry is kept; exact rows are
/// read for the frames that the codes find best, and span scores are made for the best entries.
public final class IndexedVideos: SearchableVideos, Sendable {
  public let index: IndexFile
  private let scanner: RowScanner
  /// Frames that are compared exactly, those that look best; or all if there are no more.
  private let rowsRead: Int
  /// Frames of the longest entry.
  private let longest: Int
  /// Runs of entries of one segment, which threads take one after another.
  private let stretches: [(segment: Int, entries: Range<Int>)]

  private static let entriesAStretch = 64
  /// Frames from whose estimates it is told which are among the best.
  private static let sampled = 32_768
  /// What `rowsRead` is where nobody says.
  public static let usualRowsRead = 40_000

  /// - Parameter rowsRead: more find the same videos as all would more surely, and cost time. More are read where they
  ///   would be those of fewer than four times as many entries as are wanted.
  public init(_ index: IndexFile, rowsRead: Int = usualRowsRead, threads: Int? = nil) {
    self.index = index
    self.rowsRead = max(1, rowsRead)
    scanner = RowScanner(width: index.head.width, threads: threads)
    longest = index.segments.reduce(0) { most, segment in
      (0..<segment.head.entries).reduce(most) { max($0, segment.frames($1).count) }
    }
    stretches = index.segments.enumerated().flatMap { number, segment in
      stride(from: 0, to: segment.head.entries, by: Self.entriesAStretch).map {
        (number, $0..<min(segment.head.entries, $0 + Self.entriesAStretch))
      }
    }
  }

  public var count: Int { index.places }

  /// Whether answers may lack a video that comparing with every frame would find.
  public var isApproximate: Bool { index.rows > rowsRead }

  public func number(of place: Int) -> Int { index.video(at: place) }

  public func firstFrame(of place: Int) -> Int { index.window(of: place).lowerBound }

  public func places(of own: Int) -> Range<Int> { index.places(of: own) }

  public func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]] {
    let units = tape.backend.values(of: model.normalized(tape, queries))
    let width = queries.columns
    return try best(
      (0..<queries.rows).map { Array(units[$0 * width..<($0 + 1) * width]) }, kept: kept, on: tape.backend)
  }

  /// The best entries for queries of unit length.
  func best(
    _ units: [[Float]], kept: Int, on backend: any Backend
  ) throws -> [[(place: Int, score: Float)]] {
    guard count > 0 else { return units.map { _ in [] } }
    var result: [[(place: Int, score: Float)]] = []
    // A number an entry and a query.
    let together = max(1, min(16, (256 << 20) / (4 * count)))
    for first in stride(from: 0, to: units.count, by: together) {
      let asked = try units[first..<min(units.count, first + together)].map {
        try Asked($0, scanner.query($0), thresholds: thresholds, kept: kept)
      }
      result += try scores(asked).map { ranked($0, kept: kept, on: backend) }
    }
    return result
  }

  /// A query with the estimate from which on frames are compared exactly; the lowest of all numbers lets every one pass.
  private struct Asked {
    let unit: [Float]
    let query: RowScanner.Query
    let threshold: Float

    init(
      _ unit: [Float], _ query: RowScanner.Query, thresholds: (RowScanner.Query, Int) throws -> Float,
      kept: Int
    ) rethrows {
      (self.unit, self.query) = (unit, query)
      threshold = try thresholds(query, kept)
    }
  }

  /// The best of the entries, and where windows of one video take the places of others, the best of those videos too.
  private func ranked(
    _ scores: [Float], kept: Int, on backend: any Backend
  ) -> [(place: Int, score: Float)] {
    let best = Self.top(scores, min(kept, count), on: backend)
    let wanted = min(kept, index.count)
    let videos = Set(best.map { index.video(at: $0.place) })
    guard videos.count < wanted, count > index.count else { return best }
    var (ofVideos, places) = (
      [Float](repeating: .nan, count: index.count), [Int](repeating: 0, count: index.count)
    )
    for place in scores.indices where !scores[place].isNaN {
      let video = index.video(at: place)
      if !(ofVideos[video] >= scores[place]) { (ofVideos[video], places[video]) = (scores[place], place) }
    }
    let others = Self.top(ofVideos, wanted, on: backend).filter { !videos.contains($0.place) }
    return best + others.map { (places[$0.place], $0.score) }
  }

  private static func top(
    _ scores: [Float], _ kept: Int, on backend: any Backend
  ) -> [(place: Int, score: Float)] {
    let values = backend.makeTensor(rows: 1, columns: kept)
    let places = backend.makeIndices(count: kept)
    backend.topK(
      backend.makeTensor(scores, rows: 1, columns: scores.count), values: values, places: places)
    return zip(backend.values(of: places), backend.values(of: values)).filter { $0.0 >= 0 }.map {
      (Int($0.0), $0.1)
    }
  }

  /// The estimate that `rowsRead` frames reach, and frames of four times as many entries as are kept; told by entries
  /// spread over the index.
  private func thresholds(_ query: RowScanner.Query, kept: Int) throws -> Float {
    guard isApproximate else { return -.infinity }
    var (frames, entries) = (Histogram(), Histogram())
    let step = max(1, min(index.rows / Self.sampled, count / 256))
    try index.file.withBytes { bytes in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: longest) { buffer in
        for place in stride(from: 0, to: count, by: step) {
          var most = -Float.infinity
          for estimate in estimates(query, place, bytes, buffer) where estimate.isFinite {
            frames.count(estimate)
            most = max(most, estimate)
          }
          if most.isFinite { entries.count(most) }
        }
      }
    }
    // Where few entries are many of those that there are, each has its best frame read (`score`).
    let enough = count <= rowsRead ? .infinity : entries.value(reachedBy: Double(4 * kept) / Double(count))
    return min(frames.value(reachedBy: Double(rowsRead) / Double(index.rows)), enough)
  }

  /// How often estimates were seen; they lie around −1 … 1.
  private struct Histogram {
    private static let (bins, scale) = (4096, Float(1500))
    private var counts = [Int](repeating: 0, count: bins)
    private var seen = 0

    mutating func count(_ estimate: Float) {
      let bin = Int(max(-1e6, min(1e6, estimate)) * Self.scale) + Self.bins / 2
      counts[max(0, min(Self.bins - 1, bin))] += 1
      seen += 1
    }

    /// What a part of all estimates reach.
    func value(reachedBy part: Double) -> Float {
      var left = part * Double(seen)
      for bin in counts.indices.reversed() {
        left -= Double(counts[bin])
        if left < 0 { return Float(bin - Self.bins / 2) / Self.scale }
      }
      return -.infinity
    }
  }

  /// The exact score of every entry over its frames whose estimates reach each query's threshold; not a number where none
  /// does. All queries are answered in one pass over the codes.
  private func scores(_ asked: [Asked]) throws -> [[Float]] {
    var all = [[Float]](repeating: [Float](repeating: .nan, count: count), count: asked.count)
    try index.file.withBytes { bytes in
      // No two threads write the same element.
      var bases: [UnsafeMutablePointer<Float>] = []
      withBases(of: &all, &bases) { bases in
        nonisolated(unsafe) let bases = bases
        scanner.forEach(stretches.count) { number in
          let (segment, entries) = (index.segments[stretches[number].segment], stretches[number].entries)
          withUnsafeTemporaryAllocation(of: Float.self, capacity: longest) { buffer in
            for entry in entries {
              for (query, base) in zip(asked, bases) {
                base[segment.firstPlace + entry] = score(query, segment, entry, bytes, buffer)
              }
            }
          }
        }
      }
    }
    return all
  }

  /// Runs `body` on the elements of every array.
  private func withBases(
    of arrays: inout [[Float]], _ bases: inout [UnsafeMutablePointer<Float>],
    _ body: ([UnsafeMutablePointer<Float>]) -> Void
  ) {
    guard bases.count < arrays.count else { return body(bases) }
    var own: [Float] = []
    let number = bases.count
    swap(&own, &arrays[number])
    own.withUnsafeMutableBufferPointer {
      guard let base = $0.baseAddress else { return }
      bases.append(base)
      withBases(of: &arrays, &bases, body)
    }
    swap(&own, &arrays[number])
  }

  private func score(
    _ asked: Asked, _ segment: IndexFile.Segment, _ entry: Int, _ bytes: UnsafeRawBufferPointer,
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> Float {
    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<segment.frames(entry).count])
    guard asked.threshold > -.infinity else {
      rows(asked.unit, segment, entry, values.indices, normalized: true, bytes, into: values)
      // As of a video in memory: with a frame that is not a number, neither is the score.
      return values.contains { $0.isNaN } ? .nan : values.reduce(-.infinity) { max($0, $1) }
    }
    scanner.estimate(
      asked.query, code: UnsafeRawBufferPointer(rebasing: bytes[segment.code(entry, index.layout)]),
      into: values)
    var threshold = asked.threshold
    if count <= rowsRead, let most = values.max(), most < threshold { threshold = most }
    var best = Float.nan
    for frame in values.indices where values[frame] >= threshold {
      let one = UnsafeMutableBufferPointer(rebasing: values[frame..<frame + 1])
      rows(asked.unit, segment, entry, frame..<frame + 1, normalized: true, bytes, into: one)
      if !(best >= one[0]) { best = one[0] }
    }
    return best
  }

  /// The estimates of an entry's frames, in the buffer.
  private func estimates(
    _ query: RowScanner.Query, _ place: Int, _ bytes: UnsafeRawBufferPointer,
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> UnsafeMutableBufferPointer<Float> {
    let (segment, own) = index.place(of: place)
    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<segment.frames(own).count])
    scanner.estimate(
      query, code: UnsafeRawBufferPointer(rebasing: bytes[segment.code(own, index.layout)]), into: values)
    return values
  }

  private func rows(
    _ x: [Float], _ segment: IndexFile.Segment, _ entry: Int, _ frames: Range<Int>, normalized: Bool,
    _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>
  ) {
    scanner.products(
      x, rows: UnsafeRawBufferPointer(rebasing: bytes[segment.rows(entry, frames, index.layout)]),
      normalized: normalized, into: values)
  }

  public func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments) {
    let (width, values) = (queries.columns, tape.backend.values(of: queries))
    let segments = Segments(lengths: pairs.map { index.window(of: $0.video).count }, on: tape.backend)
    let products = try index.file.withBytes { bytes in
      [Float](unsafeUninitializedCapacity: segments.rows) { products, written in
        nonisolated(unsafe) let products = products
        scanner.forEach(pairs.count) { number in
          let (query, video) = pairs[number]
          let (segment, own) = index.place(of: video)
          rows(
            Array(values[query * width..<(query + 1) * width]), segment, own, 0..<segments[number].count,
            normalized: false, bytes, into: UnsafeMutableBufferPointer(rebasing: products[segments[number]]))
        }
        written = segments.rows
      }
    }
    return (tape.backend.makeTensor(products, rows: 1, columns: segments.rows), segments)
  }

  public func scores(
    _ query: Tensor, at places: Range<Int>, model: RetrievalModel, tape: Tape
  ) throws -> [Float] {
    let unit = tape.backend.values(of: model.normalized(tape, query))
    return try places.map { place in
      try cosines(unit, place: place).reduce(-.infinity) { max($0, $1) }
    }
  }

  private func cosines(_ unit: [Float], place: Int) throws -> [Float] {
    let (segment, number) = index.place(of: place)
    let frames = segment.frames(number).count
    return try index.file.withBytes { bytes in
      [Float](unsafeUninitializedCapacity: frames) { values, written in
        rows(
          unit, segment, number, 0..<frames, normalized: true, bytes,
          into: UnsafeMutableBufferPointer(rebasing: values[..<frames]))
        written = frames
      }
    }
  }

  /// Cosines of a query of unit length with all frames of a video, the larger one where two windows share a frame.
  func cosines(_ unit: [Float], video: Int) throws -> [Float] {
    var all = [Float](repeating: -.infinity, count: index.frameCount(of: video))
    for place in index.places(of: video) {
      let first = firstFrame(of: place)
      for (frame, cosine) in try cosines(unit, place: place).enumerated()
      where !(all[first + frame] >= cosine) {
        all[first + frame] = cosine
      }
    }
    // A frame in no window has none: windows overlap, but a file says what it says.
    return all.map { $0 == -.infinity ? 0 : $0 }
  }
}
