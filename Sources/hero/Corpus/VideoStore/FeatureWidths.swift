import Formats

/// The width of most videos' files of each part, which decides which video is the odd one.
struct FeatureWidths {
  /// The number of features per frame of each part; nil where none of its files can be read.
  let majority: [Int?]
  /// The parts whose files mostly differ in columns, but all have the same number of rows.
  let exchanged: [(part: String, rows: Int)]

  /// The fewest videos to look at, spread evenly over all.
  private static let sample = 512

  /// Reads the shapes in the headers of files; of equally frequent widths the first counts.
  init(_ videos: [FeatureFiles], parts: [String], threads: Int) {
    let step = max(1, videos.count / Self.sample)
    let chosen = stride(from: 0, to: videos.count, by: step).map { videos[$0] }
    let shapes = Prefetch(chosen.indices, threads: threads, depth: 2 * threads) { number in
      chosen[number].files.map { $0.flatMap { try? FeatureFile.shape(path: $0) } }
    }
    var counts = parts.map { _ in [(width: Int, count: Int)]() }
    var rows = parts.map { _ in Set<Int>() }
    while let shapes = try? shapes.next() {
      for (part, shape) in shapes.enumerated() {
        guard let shape else { continue }
        rows[part].insert(shape.rows)
        if let place = counts[part].firstIndex(where: { $0.width == shape.width }) {
          counts[part][place].count += 1
        } else {
          counts[part].append((shape.width, 1))
        }
      }
    }
    exchanged = parts.indices.compactMap { part in
      let total = counts[part].reduce(0) { $0 + $1.count }
      guard total > 2, 2 * (counts[part].map(\.count).max() ?? 0) < total, rows[part].count == 1 else {
        return nil
      }
      return rows[part].first.map { (parts[part], $0) }
    }
    majority = counts.map { part in
      part.reduce(nil as (width: Int, count: Int)?) { best, each in
        best.map { each.count > $0.count ? each : $0 } ?? each
      }?.width
    }
  }
}
