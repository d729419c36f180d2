import Formats
import Foundation
import TestSupport
import Testing

@testable import Search

/// A folder of videos that changes and is indexed again by the same command.
@Suite("A library that changes", .ownThreads)
struct ChangingLibraryTests {
  private enum Change: CaseIterable {
    case add, replace, delete, rename, move, subtitle, silence, swap
  }

  /// A single video given by path is indexed with its own subtitles and none of its neighbors'.
  @Test func oneVideo() throws {
    let own = try OwnVideoIndex()
    for name in ["one.mp4", "other.mp4"] { try own.add("plain.mp4", as: name, mark: name) }
    _ = try own.folder.file("v/one.en.srt", "1\n00:00:00,200 --> 00:00:01,000\nthis is one\n")
    _ = try own.folder.file("v/other.srt", "1\n00:00:00,200 --> 00:00:01,000\nthis is other\n")
    let run = try own.run("--videos", own.folder.path("v/one.mp4"))
    #expect(run.status == 0, "\(run.errors)")
    #expect(!run.errors.contains("other"), "\(run.errors)")
    let videos = try own.videos()
    #expect(videos.keys.map(\.text) == ["one"] && videos["one"]?.sentences.map(\.text) == ["this is one"])
  }

  /// A run that cannot begin leaves no folder behind.
  @Test(arguments: ["empty", "v/one.mp4"]) func whatCannotBegin(_ kind: String) throws {
    let own = try OwnVideoIndex()
    try own.add("plain.mp4", as: "one.mp4")
    try OutputFolder.make(own.folder.path("empty"))
    // The folder has no videos, or the index has the name of a video.
    let output = kind == "empty" ? own.index : own.folder.path(kind)
    let run = try own.run("--videos", own.folder.path(kind == "empty" ? "empty" : "v"), to: output)
    #expect(run.status == 1 && !FileManager.default.fileExists(atPath: output + ".work"), "\(run.errors)")
  }

  /// A second run on a folder that another run is filling fails and changes nothing.
  @Test func twoAtOnce() throws {
    let own = try OwnVideoIndex()
    try own.add("plain.mp4", as: "one.mp4")
    let work = own.index + ".work"
    try OutputFolder.make(work)
    let first = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    #expect(FileLock.take(first) == .got)
    let run = try own.run()
    #expect(run.status == 1 && run.errors.contains("another run is filling this folder"), "\(run.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: work).isEmpty)
    FileLock.close(first)
    #expect(try own.run().status == 0)
    #expect(try own.videos().count == 1)
  }

  /// After every kind of change, in a seeded order, the index equals one made afresh.
  @Test(.timeLimit(.minutes(30))) func isWhatAFreshIndexHas() throws {
    let own = try OwnVideoIndex()
    var random = SeededNumbers(state: 1)
    let fixtures = ["plain.mp4", "plain.mkv", "rotated.mp4", "variable.mkv", "one.mp4"]
    var videos: [String] = []
    var made = 0
    func path(_ name: String) -> String { own.folder.path("v/\(name)") }
    func subtitles(_ name: String) -> String { path((name as NSString).deletingPathExtension + ".srt") }
    func draw(_ name: String) throws {
      made += 1
      let fitting = fixtures.filter { ($0 as NSString).pathExtension == (name as NSString).pathExtension }
      try own.add(fitting[Int.random(in: 0..<fitting.count, using: &random)], as: name, mark: "\(made)")
    }
    func add() throws {
      made += 1
      videos.append("\(["", "a/", "b/c/"][made % 3])clip\(made).\(["mp4", "mkv"][made / 2 % 2])")
      try draw(videos[videos.count - 1])
    }
    func subtitle(_ name: String) throws {
      made += 1
      try "1\n00:00:00,200 --> 00:00:01,000\nthis is \(made)\n".write(
        toFile: subtitles(name), atomically: true, encoding: .utf8)
    }
    func carry(_ place: Int, to name: String) throws {
      let old = videos[place]
      guard name != old else { return }
      try FileManager.default.createDirectory(
        atPath: (path(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: path(old), toPath: path(name))
      if FileManager.default.fileExists(atPath: subtitles(old)) {
        try FileManager.default.moveItem(atPath: subtitles(old), toPath: subtitles(name))
      }
      videos[place] = name
    }
    func change(_ kind: Change) throws {
      let place = Int.random(in: 0..<videos.count, using: &random)
      let name = videos[place]
      switch kind {
      case .add: try add()
      case .replace: try draw(name)
      case .delete:
        unlink(path(name))
        unlink(subtitles(name))
        videos.remove(at: place)
      case .rename:
        made += 1
        try carry(
          place,
          to: (name as NSString).deletingLastPathComponent + "/new\(made)." + (name as NSString).pathExtension
        )
      case .move: try carry(place, to: "d\(made % 2)/" + (name as NSString).lastPathComponent)
      case .subtitle: try subtitle(name)
      case .silence: unlink(subtitles(name))
      case .swap:
        let ending = (name as NSString).pathExtension
        guard let other = videos.first(where: { $0 != name && ($0 as NSString).pathExtension == ending })
        else {
          return
        }
        try FileManager.default.moveItem(atPath: path(name), toPath: path("spare"))
        try FileManager.default.moveItem(atPath: path(other), toPath: path(name))
        try FileManager.default.moveItem(atPath: path("spare"), toPath: path(other))
      }
    }

    for _ in 0..<6 { try add() }
    try subtitle(videos[0])
    try #require(try own.run().status == 0)
    for _ in 0..<2 {
      for kind in Change.allCases.shuffled(using: &random) { try change(kind) }
      let updated = try own.run("--remove")
      try #require(updated.status == 0, "\(updated.errors)")
      let fresh = own.folder.path("fresh\(made).index")
      try #require(try own.run(to: fresh).status == 0)
      #expect(try own.videos() == own.videos(fresh), "\(updated.output)")
      #expect(try own.videos().count == videos.count)
      let (one, two) = (try IndexFile(path: own.index), try IndexFile(path: fresh))
      // Batches of other videos may round the last bit of a row differently.
      let (mine, others) = (try rows(one), try rows(two))
      for (name, row) in mine {
        let other = try #require(others[name])
        #expect(row.count == other.count && paired(row, other).allSatisfy { abs($0 - $1) < 0.01 }, "\(name)")
      }
    }
  }

  /// Returns the cosines of a query with each video's frames.
  private func rows(_ index: IndexFile) throws -> [Name: [Float]] {
    let unit = [Float](repeating: 1 / Float(index.head.width).squareRoot(), count: index.head.width)
    let videos = IndexedVideos(index)
    return Dictionary(
      uniqueKeysWithValues: try (0..<index.count).map { number in
        (Name(try index.name(of: number)), try videos.cosines(unit, video: number))
      })
  }
}

/// A seeded random number generator.
private struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// What `hero index --videos` stores of videos and reports about their folder.
@Suite("A folder of one's own videos", .ownThreads)
struct OwnVideoTests {
  @Test func timesCountFromTheFilesBeginning() throws {
    let own = try OwnVideoIndex()
    try own.add("start.mkv", as: "start.mkv")
    try own.add("one.mp4", as: "one.mp4")
    let made = try own.run()
    try #require(made.status == 0, "\(made.errors)")
    let videos = try own.videos()
    let start = try #require(videos["start"])
    #expect(abs((start.file?.start ?? 0) - 100) < 0.05 && abs(start.duration - 6) < 0.11 && start.frames == 4)
    #expect(videos["one"]?.frames == 1 && made.errors.contains("found as a whole: one"))
  }

  /// Every file but a picture is indexed or reported, and a folder without a usable video is an
  /// error.
  @Test func whatIsPassedOverIsTold() throws {
    let own = try OwnVideoIndex()
    try own.add("plain.mp4", as: "clip.mp4")
    try own.add("plain.mkv", as: "again/clip.mkv")
    for name in ["broken.mp4", "DATA.DAT", "clip.sub", "poster.jpg", ".hidden.mp4"] {
      _ = try own.folder.file("v/\(name)", "nothing")
    }
    let made = try own.run()
    #expect(made.status == 0, "\(made.errors)")
    for told in ["again/clip.mkv", "broken.mp4", "DATA.DAT", "clip.sub", ".hidden.mp4"] {
      #expect(made.errors.contains(told), "\(told): \(made.errors)")
    }
    #expect(!made.errors.contains("poster.jpg"))
    #expect(try Array(own.videos().keys) == ["clip"])
    let other = try OwnVideoIndex()
    _ = try other.folder.file("v/broken.mp4", "nothing")
    #expect(try other.run().status == 1)
  }

  /// A damaged subtitle file does not keep its video, or the track inside it, out of the index.
  @Test func damagedSubtitles() throws {
    let own = try OwnVideoIndex()
    try own.add("forced.mkv", as: "clip.mkv")
    try own.add("plain.mp4", as: "other.mp4")
    for name in ["clip.srt", "other.vtt"] { _ = try own.folder.file("v/\(name)", "nothing") }
    let made = try own.run()
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("clip.srt") && made.errors.contains("other.vtt"), "\(made.errors)")
    let videos = try own.videos()
    #expect(videos["clip"]?.sentences.map(\.text) == ["Full"])
    #expect(videos["other"]?.sentences.isEmpty == true)
  }

  @Test func filesToPlayAreMatchedByName() throws {
    let own = try OwnVideoIndex()
    try own.add("plain.mp4", as: "clip.mp4")
    try own.add("one.mp4", as: "other.mp4")
    try #require(try own.run().status == 0)
    let files = own.folder.path("files")
    for name in ["clip.mkv", "stranger.mkv"] { _ = try own.folder.file("files/\(name)", "x") }
    let link = own.folder.path("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: files)
    let second = own.folder.path("second.index")
    let made = try HeroProcess(arguments: [
      "index", "--model-dir", own.folder.path("run"), "--checkpoint", "latest", "--tokenizer",
      own.folder.path("tokenizer"), "--vfeat-db", own.index + ".work/video_db/own", "--video-files", link,
      "--output", second,
    ])
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("1 of 2 videos have no file") && made.errors.contains("such as other"))
    #expect(made.errors.contains("1 files of") && made.errors.contains("stranger.mkv"))
    #expect(try own.videos(second)["clip"]?.file?.path == link + "/clip.mkv")
  }
}
