import Engine
import Formats
import Model
import Tasks

/// The videos of an index as something to search among.
///
/// Memory stays bounded however many there are: codes are read where they lie, one number a video is kept; exact rows are read
/// for the frames that the codes find best, and span scores are made for the best videos.
public final class IndexedVideos: SearchableVideos, Sendable {
  public let index: IndexFile
  private let scanner: RowScanner
  /// Frames that are compared exactly, those that look best; or all if there are no more.
  private let rowsRead: Int
  /// Frames of the longest video.
  private let longest: Int
  /// Runs of videos of one segment, which threads take one after another.
  private let stretches: [(segment: Int, videos: Range<Int>)]

  private static let videosAStretch = 64
  /// Frames from whose estimates it is told which are among the best.
  private static let sampled = 32_768

  /// - Parameter rowsRead: more find the same videos as all would more surely, and cost time. Never fewer than would let
  ///   four times as many videos as are wanted have all of theirs read.
  public init(_ index: IndexFile, rowsRead: Int = 40_000, threads: Int? = nil) {
    self.index = index
    self.rowsRead = max(1, rowsRead)
    scanner = RowScanner(width: index.head.width, threads: threads)
    longest = index.segments.reduce(0) { most, segment in
      (0..<segment.head.videos).reduce(most) { max($0, segment.frames($1).count) }
    }
    stretches = index.segments.enumerated().flatMap { number, segment in
      stride(from: 0, to: segment.head.videos, by: Self.videosAStretch).map {
        (number, $0..<min(segment.head.videos, $0 + Self.videosAStretch))
      }
    }
  }

  public var count: Int { index.count }

  public func number(of place: Int) -> Int { place }

  public func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]] {
    let units = tape.backend.values(of: model.normalized(tape, queries))
    let width = queries.columns
    return try (0..<queries.rows).map { query in
      let unit = Array(units[query * width..<(query + 1) * width])
      return try best(unit, kept: kept, on: tape.backend)
    }
  }

  /// The best videos for one query of unit length.
  func best(_ unit: [Float], kept: Int, on backend: any Backend) throws -> [(place: Int, score: Float)] {
    guard count > 0 else { return [] }
    let query = scanner.query(unit)
    let wanted = max(rowsRead, 4 * kept * longest)
    // The lowest of all numbers lets every row pass.
    let threshold = try index.rows > wanted ? threshold(query, passing: wanted) : -.infinity
    let scores = try scores(unit, query, threshold: threshold)
    let kept = min(kept, count)
    let values = backend.makeTensor(rows: 1, columns: kept)
    let places = backend.makeIndices(count: kept)
    backend.topK(backend.makeTensor(scores, rows: 1, columns: count), values: values, places: places)
    return zip(backend.values(of: places), backend.values(of: values)).filter { $0.0 >= 0 }.map {
      (Int($0.0), $0.1)
    }
  }

  /// The estimate that about so many frames reach, told by those of videos spread over the index.
  private func threshold(_ query: RowScanner.Query, passing wanted: Int) throws -> Float {
    // Estimates lie around −1 … 1.
    let (bins, scale) = (4096, Float(1500))
    var counts = [Int](repeating: 0, count: bins)
    var seen = 0
    let step = max(1, index.rows / Self.sampled)
    try index.file.withBytes { bytes in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: longest) { buffer in
        for video in stride(from: 0, to: count, by: step) {
          for estimate in estimates(query, video, bytes, buffer) where estimate.isFinite {
            counts[max(0, min(bins - 1, Int(estimate.clamped * scale) + bins / 2))] += 1
            seen += 1
          }
        }
      }
    }
    var left = Double(wanted) * Double(seen) / Double(index.rows)
    for bin in counts.indices.reversed() {
      left -= Double(counts[bin])
      if left < 0 { return Float(bin - bins / 2) / scale }
    }
    return -.infinity
  }

  /// The exact score of every video over its frames whose estimates reach a threshold; not a number where none does.
  private func scores(_ unit: [Float], _ query: RowScanner.Query, threshold: Float) throws -> [Float] {
    try index.file.withBytes { bytes in
      [Float](unsafeUninitializedCapacity: count) { scores, written in
        nonisolated(unsafe) let scores = scores
        scanner.forEach(stretches.count) { number in
          let (segment, videos) = (index.segments[stretches[number].segment], stretches[number].videos)
          withUnsafeTemporaryAllocation(of: Float.self, capacity: longest) { buffer in
            for video in videos {
              scores[segment.firstVideo + video] = score(
                unit, query, threshold, segment, video, bytes, buffer)
            }
          }
        }
        written = count
      }
    }
  }

  private func score(
    _ unit: [Float], _ query: RowScanner.Query, _ threshold: Float, _ segment: IndexFile.Segment,
    _ video: Int,
    _ bytes: UnsafeRawBufferPointer, _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> Float {
    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<segment.frames(video).count])
    guard threshold > -.infinity else {
      rows(unit, segment, video, values.indices, normalized: true, bytes, into: values)
      // As of a video in memory: with a frame that is not a number, neither is the score.
      return values.contains { $0.isNaN } ? .nan : values.reduce(-.infinity) { max($0, $1) }
    }
    scanner.estimate(
      query, code: UnsafeRawBufferPointer(rebasing: bytes[segment.code(video, index.layout)]), into: values)
    var best = Float.nan
    for frame in values.indices where values[frame] >= threshold {
      let one = UnsafeMutableBufferPointer(rebasing: values[frame..<frame + 1])
      rows(unit, segment, video, frame..<frame + 1, normalized: true, bytes, into: one)
      if !(best >= one[0]) { best = one[0] }
    }
    return best
  }

  /// The estimates of a video's frames, in the buffer.
  private func estimates(
    _ query: RowScanner.Query, _ video: Int, _ bytes: UnsafeRawBufferPointer,
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> UnsafeMutableBufferPointer<Float> {
    let (segment, own) = index.place(of: video)
    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<segment.frames(own).count])
    scanner.estimate(
      query, code: UnsafeRawBufferPointer(rebasing: bytes[segment.code(own, index.layout)]), into: values)
    return values
  }

  private func rows(
    _ x: [Float], _ segment: IndexFile.Segment, _ video: Int, _ frames: Range<Int>, normalized: Bool,
    _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>
  ) {
    scanner.products(
      x, rows: UnsafeRawBufferPointer(rebasing: bytes[segment.rows(video, frames, index.layout)]),
      normalized: normalized, into: values)
  }

  public func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments) {
    let (width, values) = (queries.columns, tape.backend.values(of: queries))
    let segments = Segments(lengths: pairs.map { index.frameCount(of: $0.video) }, on: tape.backend)
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

  /// Cosines of a query of unit length with all frames of a video.
  func cosines(_ unit: [Float], video: Int) throws -> [Float] {
    let (segment, number) = index.place(of: video)
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
}

extension Float {
  /// Within what can be counted.
  fileprivate var clamped: Float { Swift.max(-1e6, Swift.min(1e6, self)) }
}
