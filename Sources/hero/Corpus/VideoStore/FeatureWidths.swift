import Formats

/// The width that most videos' files of each part have: what decides which video is the odd one.
struct FeatureWidths {
  /// Numbers per frame of each part, nil where no file of it can be read.
  let majority: [Int?]
  /// Parts of which every file has as many rows, and hardly two as many columns, with those rows.
  let exchanged: [(part: String, rows: Int)]

  /// Videos looked at, evenly spread over all.
  private static let sample = 512

  /// Reads the shapes in the heads of files. Of widths as frequent as each other the first counts.
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
