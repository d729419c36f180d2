import ArgumentParser
import Formats
import Search
import Training

/// Reports the contents of an index, and whether it and its videos' files are unchanged.
struct IndexReport {
  let path: String
  private let index: IndexFile

  init(path: String) throws {
    self.path = path
    index = try IndexFile(path: path)
  }

  private var summary: String {
    "\(path): \(index.count) videos, \(index.rows) frames, \(index.length >> 20) MB, made with \(index.head.origin)"
  }

  /// Runs `hero index --list`.
  func list(asJSON: Bool) throws {
    let videos = try (0..<index.count).map { number in
      try InterruptHandler.check()
      return try index.video(number)
    }
    print(asJSON ? Self.json(videos).encoded(style: .python) : Self.table(videos).rendered())
    Console.standardError.print(summary)
    tellOldCodes()
  }

  private static func table(_ videos: [IndexedVideo]) -> MetricsTable {
    var table = MetricsTable(headings: ["video", "length", "subtitles", "file", "state"])
    table.textColumns = [0, 3, 4]
    table.rows = videos.map { video in
      [
        video.name, MomentFormat.clock(video.duration), "\(video.sentences.count)", video.file?.path ?? "",
        video.file?.state.rawValue ?? "no file",
      ]
    }
    return table
  }

  private static func json(_ videos: [IndexedVideo]) -> JSON {
    .array(
      videos.map { video in
        [
          "video": .string(video.name), "duration": .double(video.duration), "frames": .int(video.frames),
          "subtitles": .int(video.sentences.count), "file": video.file.map { .string($0.path) } ?? .null,
          "state": video.file.map { .string($0.state.rawValue) } ?? .null,
        ]
      })
  }

  /// Tells if frames have codes of an older version, which make searches slow.
  private func tellOldCodes() {
    guard index.oldFrames > 0 else { return }
    Console.standardError.print(
      "\(index.oldFrames) of its frames have codes of an older version, of which a search reads four "
        + "times as many bytes. Run the command that made the index again, with room for a second one "
        + "beside it: it writes them anew, and encodes nothing that is as it was.")
  }

  /// Runs `hero index --check`.
  ///
  /// - Throws: `DataError` for a damaged index, `ExitCode` where files are missing or have changed.
  func check() throws {
    try ProgressReporter.follow("Checking", total: index.count, unit: "videos") {
      try index.check(progress: $0)
    }
    var stale = 0
    for number in 0..<index.count {
      let video = try index.video(number)
      guard let file = video.file, file.state != .there else { continue }
      stale += 1
      let what = file.state == .missing ? "is missing" : "has changed since it was indexed"
      Console.standardError.print("\(file.path): \(what) (video \"\(video.name)\")")
    }
    tellOldCodes()
    print("\(summary), all as written" + (stale > 0 ? "; \(stale) files missing or changed" : ""))
    guard stale > 0 else { return }
    Console.standardError.print("Run the command that made the index again to bring it up to date.")
    throw ExitCode(1)
  }
}
