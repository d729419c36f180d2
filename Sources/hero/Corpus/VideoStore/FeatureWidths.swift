import Formats

/// The width that most videos' files of each part have: what decides which video is the odd one.
struct FeatureWidths {
  /// Numbers per frame of each part, nil where no file of it can be read.
  let majority: [Int?]

  /// Videos looked at, evenly spread over all.
  private static let sample = 512

  /// Reads the shapes in the heads of files. Of widths as frequent as each other the first counts.
  init(_ videos: [FeatureFiles], parts: [String], threads: Int) {
    let step = max(1, videos.count / Self.sample)
    let chosen = stride(from: 0, to: videos.count, by: step).map { videos[$0] }
    let shapes = Prefetch(chosen.indices, threads: threads, depth: 2 * threads) { number in
      chosen[number].files.map { $0.flatMap { try? FeatureFile.width(path: $0) } }
    }
    var counts = parts.map { _ in [(width: Int, count: Int)]() }
    while let widths = try? shapes.next() {
      for (part, width) in widths.enumerated() {
        guard let width else { continue }
        if let place = counts[part].firstIndex(where: { $0.width == width }) {
          counts[part][place].count += 1
        } else {
          counts[part].append((width, 1))
        }
      }
    }
    majority = counts.map { part in
      part.reduce(nil as (width: Int, count: Int)?) { best, each in
        best.map { each.count > $0.count ? each : $0 } ?? each
      }?.width
    }
  }
}
