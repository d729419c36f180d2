import Engine
import Formats
import Model
import Tasks

/// The videos of an index as something to search among.
///
/// Memory stays bounded however many there are: codes are read where they lie, one number a video is kept; exact rows are read
/// for the videos that the codes find best, and span scores are made for the best of those.
public final class IndexedVideos: SearchableVideos, Sendable {
  public let index: IndexFile
  private let scanner: RowScanner
  /// Exact scores are made for so many of the videos that look best, or for all if there are no more.
  private let candidates: Int
  /// Runs of videos of one segment, which threads take one after another.
  private let stretches: [(segment: Int, videos: Range<Int>)]

  private static let videosAStretch = 64
  /// A frame is read if its estimate could be the best's by so many standard deviations.
  private static let deviations: Float = 3

  /// - Parameter candidates: more find the same videos as all would more surely, and cost time.
  public init(_ index: IndexFile, candidates: Int = 1000, threads: Int? = nil) {
    self.index = index
    self.candidates = max(1, candidates)
    scanner = RowScanner(width: index.head.width, threads: threads)
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
    guard count > max(candidates, kept) else {
      return top(kept, of: try exact(unit, Array(0..<count), estimating: nil), Array(0..<count), on: backend)
    }
    let query = scanner.query(unit)
    let estimates = try estimates(query)
    let chosen = top(max(candidates, kept), of: estimates, Array(0..<count), on: backend).map(\.place)
      .sorted()
    return top(kept, of: try exact(unit, chosen, estimating: query), chosen, on: backend)
  }

  private func top(
    _ kept: Int, of scores: [Float], _ places: [Int], on backend: any Backend
  ) -> [(place: Int, score: Float)] {
    let kept = min(kept, scores.count)
    let values = backend.makeTensor(rows: 1, columns: kept)
    let found = backend.makeIndices(count: kept)
    backend.topK(
      backend.makeTensor(scores, rows: 1, columns: scores.count), values: values, places: found)
    return zip(backend.values(of: found), backend.values(of: values)).filter { $0.0 >= 0 }.map {
      (places[Int($0.0)], $0.1)
    }
  }

  /// The estimated score of every video.
  private func estimates(_ query: RowScanner.Query) throws -> [Float] {
    let layout = index.layout
    return try index.file.withBytes { bytes in
      [Float](unsafeUninitializedCapacity: count) { scores, written in
        nonisolated(unsafe) let scores = scores
        scanner.forEach(stretches.count) { number in
          let (place, videos) = stretches[number]
          let segment = index.segments[place]
          let most = videos.reduce(0) { max($0, segment.frames($1).count) }
          withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { buffer in
            for video in videos {
              let own = UnsafeMutableBufferPointer(rebasing: buffer[..<segment.frames(video).count])
              scanner.estimate(
                query, code: UnsafeRawBufferPointer(rebasing: bytes[segment.code(video, layout)]), into: own)
              scores[segment.firstVideo + video] = own.reduce(-.infinity) { $0.isNaN || $1 > $0 ? $1 : $0 }
            }
          }
        }
        written = count
      }
    }
  }

  /// The exact scores of some videos.
  /// - Parameter estimating: where given, rows whose estimate says that they are not the best are not read.
  private func exact(_ unit: [Float], _ videos: [Int], estimating query: RowScanner.Query?) throws -> [Float]
  {
    try index.file.withBytes { bytes in
      [Float](unsafeUninitializedCapacity: videos.count) { scores, written in
        nonisolated(unsafe) let scores = scores
        scanner.forEach(videos.count) { number in
          scores[number] = exact(unit, videos[number], estimating: query, bytes)
        }
        written = videos.count
      }
    }
  }

  private func exact(
    _ unit: [Float], _ video: Int, estimating query: RowScanner.Query?, _ bytes: UnsafeRawBufferPointer
  ) -> Float {
    let (segment, number) = index.place(of: video)
    let frames = segment.frames(number).count
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: frames) { buffer in
      let values = UnsafeMutableBufferPointer(rebasing: buffer[..<frames])
      guard let query else {
        rows(unit, segment, number, 0..<frames, normalized: true, bytes, into: values)
        // As the maximum over a segment: of a row with a not-a-number it is one.
        return values.contains { $0.isNaN } ? .nan : values.reduce(-.infinity) { max($0, $1) }
      }
      let code = UnsafeRawBufferPointer(rebasing: bytes[segment.code(number, index.layout)])
      scanner.estimate(query, code: code, into: values)
      var best = -Float.infinity
      for frame in (0..<frames).sorted(by: { values[$0] > values[$1] }) {
        let reach = values[frame] + Self.deviations * scanner.deviation(code: code, frame: frame)
        guard reach > best || !reach.isFinite else { continue }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 1) { one in
          rows(unit, segment, number, frame..<frame + 1, normalized: true, bytes, into: one)
          best = max(best, one[0])
        }
      }
      return best
    }
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
