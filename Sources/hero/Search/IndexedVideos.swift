import Engine
import Formats
import Model
import Tasks

/// The videos of an index as a collection to search.
///
/// Memory stays bounded for any number of videos. Codes are read in place, exact rows only for the
/// frames that the codes rank best (`FrameSearch`). Span scores are computed only for the best
/// entries.
public final class IndexedVideos: SearchableVideos, Sendable {
  /// The index, which holds names, windows and rows.
  public let index: IndexFile
  private let scanner: RowScanner
  private let search: FrameSearch

  /// The default of `rowsRead`.
  public static let usualRowsRead = 40_000

  /// Opens an index for searching.
  ///
  /// - Parameter rowsRead: the maximum number of frames compared exactly. More frames make it
  ///   likelier that the best videos are found, and take more time.
  public init(_ index: IndexFile, rowsRead: Int = usualRowsRead, threads: Int? = nil) {
    self.index = index
    scanner = RowScanner(width: index.head.width, threads: threads)
    search = FrameSearch(index, scanner: scanner, rowsRead: max(1, rowsRead))
  }

  /// The number of entries.
  ///
  /// A video longer than the model's input has several.
  public var count: Int { index.places }

  /// Whether answers may lack a video that comparing with every frame would find.
  public var isApproximate: Bool { index.rows > search.rowsRead }

  /// Returns the video of an entry.
  public func number(of place: Int) -> Int { index.video(at: place) }

  /// Returns the first frame of an entry's window, counted from its video's first frame.
  public func firstFrame(of place: Int) -> Int { index.window(of: place).lowerBound }

  /// Returns all windows of a video, in order.
  public func places(of own: Int) -> Range<Int> { index.places(of: own) }

  /// Estimates all frames from their codes and compares the best exactly, on the host's threads.
  public func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]] {
    let units = tape.backend.values(of: model.normalized(tape, queries))
    let width = queries.columns
    return try best((0..<queries.rows).map { Array(units[$0 * width..<($0 + 1) * width]) }, kept: kept)
  }

  /// Returns the best entries for queries of unit length.
  ///
  /// Windows of one video may take several places. Then the best entries of further videos are
  /// added until there are `kept` videos.
  func best(_ units: [[Float]], kept: Int) throws -> [[(place: Int, score: Float)]] {
    guard count > 0, kept > 0 else { return units.map { _ in [] } }
    return try search.best(units, kept: kept).map { found in
      var best = Array(found.prefix(kept))
      var videos = Set(best.map { index.video(at: $0.place) })
      for other in found.dropFirst(kept) where videos.count < kept {
        if videos.insert(index.video(at: other.place)).inserted { best.append(other) }
      }
      return best
    }
  }

  /// Reads the rows of the given windows and multiplies on the host's threads.
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

  private func rows(
    _ x: [Float], _ segment: IndexFile.Segment, _ entry: Int, _ frames: Range<Int>, normalized: Bool,
    _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>
  ) {
    scanner.products(
      x, rows: UnsafeRawBufferPointer(rebasing: bytes[segment.rows(entry, frames, index.layout)]),
      normalized: normalized, into: values)
  }

  /// Computes the exact scores from every row of the given windows.
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

  /// Returns the cosines of a query of unit length with all frames of a video.
  ///
  /// If two windows share a frame, the larger cosine counts.
  func cosines(_ unit: [Float], video: Int) throws -> [Float] {
    var all = [Float](repeating: -.infinity, count: index.frameCount(of: video))
    for place in index.places(of: video) {
      let first = firstFrame(of: place)
      for (frame, cosine) in try cosines(unit, place: place).enumerated()
      where !(all[first + frame] >= cosine) {
        all[first + frame] = cosine
      }
    }
    return all
  }
}
