import ArgumentParser
import Corpus
import Formats
import Foundation
import Search
import Training
import Vision

/// From a folder of videos to stores, in a folder beside the index: the first part of `hero index
/// --videos`.
///
/// Every step is a command that is shown and can be repeated by hand. Existing features are kept,
/// so an interrupted run continues and a new video costs only its own time. Replaced files get new
/// features.
struct OwnVideos {
  /// The folder of the videos, and of subtitle files if there are any; or one video.
  let videos: String
  /// The folder for features and stores.
  let index: IndexWork
  let networks: OwnNetworks
  /// Seconds per frame.
  let frameLength: Double
  /// What subtitle files are in that do not say it; guessed if nil.
  let encoding: String?
  /// Transcribes videos without subtitles; nil to leave them without.
  let recognizer: SpeechRecognizer?
  /// Of the folder, from its first change on.
  let lock = WorkLock()

  private var work: String { index.path }
  private var store: String { index.features }
  private var subtitleStore: String { index.subtitles }

  /// Makes features and stores, where they are missing.
  /// - Parameters:
  ///   - index: the index's path.
  ///   - tokenizer: of the model.
  ///   - tell: is given what is to be known of files, a line each.
  /// - Returns: the stores, no subtitle store where the folder has no subtitles; and the videos.
  func prepare(
    for index: String, tokenizer: String, tell: (String) -> Void
  ) throws -> (features: String, subtitles: String?, library: VideoLibrary) {
    let (library, paths) = try openLibrary(for: index, tell: tell)
    let (features, subtitles) = try prepare(paths, library, tokenizer: tokenizer, tell: tell)
    return (features, subtitles, library)
  }

  /// Makes CLIP's features where they are missing, and reads subtitles as they are: no store is
  /// needed.
  /// - Parameters:
  ///   - index: the index's path.
  ///   - width: of a row.
  ///   - tell: is given what is to be known of files, a line each.
  func prepareCLIP(
    for index: String, width: Int, tell: (String) -> Void
  ) throws -> (videos: CLIPVideos, library: VideoLibrary) {
    let (library, paths) = try openLibrary(for: index, tell: tell)
    try extractFeatures(paths)
    let made = library.videos.compactMap { video in
      library.features(of: video.name).first.map { (video: video.name, file: $0) }
    }.filter { FileManager.default.fileExists(atPath: $0.file) }
    let folders = try subtitleFolders(library, tell: tell)
    let names = Set(library.videos.map { Name($0.name) })
    let subtitles =
      folders.isEmpty
      ? [:]
      : try SubtitleFileList(paths: folders, onLeftOut: tell).sentences(
        isKnown: { names.contains(Name($0)) }, encoding: encoding, frameRate: VideoBeside.frameRate,
        onSkip: tell, onNote: tell)
    return (CLIPVideos(width: width, features: made, subtitles: subtitles), library)
  }

  /// The videos of the folder, whose features of other files or other weights are taken away, and
  /// what `extract-features` is to be given.
  private func openLibrary(
    for index: String, tell: (String) -> Void
  ) throws -> (library: VideoLibrary, paths: [String]) {
    var library = try VideoLibrary(folder: videos, work: self.index, networks: networks.parts)
    let known = try Self.files(of: index)
    let others = library.leaveOutNamesakes(in: known)
    others.forEach(tell)
    // If videos are named one by one, nothing else searches the folder.
    if !others.isEmpty { library.leftOut.forEach { tell("left out: \($0)") } }
    guard !library.videos.isEmpty else {
      throw DataError("none of its videos is left", file: videos, cure: "See the lines above")
    }
    // What cannot begin leaves no folder behind.
    try Transcripts(work: self.index, recognizer: recognizer).tryModel()
    try lock.take(work)
    try networks.requireSameWeights(in: self.index)
    for name in try library.bringFeaturesUpToDate(with: known) { tell("\(name) was replaced") }
    return (library, others.isEmpty ? [videos] : library.videos.map(\.path))
  }

  private func extractFeatures(_ paths: [String]) throws {
    try run(
      ["extract-features"] + paths + ["--output", "\(work)/features"] + networks.arguments + [
        "--frame-length", "\(frameLength)",
      ])
  }

  /// The files that an index names, by the names of the videos.
  private static func files(of index: String) throws -> [Name: IndexedVideo.MediaFile] {
    guard FileManager.default.fileExists(atPath: index) else { return [:] }
    let index = try IndexFile(path: index)
    var files: [Name: IndexedVideo.MediaFile] = [:]
    for number in 0..<index.count {
      let video = try index.video(number)
      files[video.name] = video.file
    }
    return files
  }

  private func prepare(
    _ paths: [String], _ library: VideoLibrary, tokenizer: String, tell: (String) -> Void
  ) throws -> (features: String, subtitles: String?) {
    try extractFeatures(paths)
    if try !isComplete() {
      try VideoLibrary.remove(index.videoStores) { $0 == ["own"] }
      try run(
        [
          "convert-videodb", "--feature-dir", "\(work)/features", "--output", "\(work)/video_db", "--dataset",
          "own",
          "--frame-length", "\(frameLength)",
        ] + networks.storeArguments)
    }
    let subtitles = try subtitleFolders(library, tell: tell)
    guard !subtitles.isEmpty else { return (store, nil) }
    try VideoLibrary.remove(subtitleStore) { $0.isSuperset(of: ["meta.json", "data.mdb"]) }
    try run(
      ["create-txtdb", "--task", "subtitles", "--annotation"] + subtitles + [
        "--vfeat-db", store, "--output", subtitleStore, "--tokenizer", tokenizer, "--frame-length",
        "\(frameLength)",
      ] + (encoding.map { ["--encoding", $0] } ?? []))
    return (store, subtitleStore)
  }

  /// Whether the feature store has every video whose features are there.
  private func isComplete() throws -> Bool {
    guard FileManager.default.fileExists(atPath: store) else { return false }
    let known = Set(
      try FeatureStore(
        path: store, featureVersion: networks.version, frameLength: frameLength
      ).videos.lazy.map { Name($0) })
    let folders = networks.parts.map { "\(work)/features/\($0)_features" }
    let made = folders.map { folder in
      Set(
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".npz") }
          .map { Name($0) }
      )
    }
    return made.dropFirst().reduce(made[0]) { $0.intersection($1) }.allSatisfy {
      known.contains(String($0.text.dropLast(".npz".count)))
    }
  }

  /// Folders with subtitle files: that of the videos, and one for subtitles from inside the videos
  /// or from their sound.
  ///
  /// A file beside a video comes first, because somebody chose it. If it is missing, damaged or
  /// forced, the track inside follows, and then a transcript.
  private func subtitleFolders(
    _ library: VideoLibrary, tell: (String) -> Void
  ) throws -> [String] {
    let inside = "\(work)/subtitles"
    try VideoLibrary.remove(inside) { $0.allSatisfy { $0.hasSuffix(".srt") } }
    var found = false
    let names = Set(library.videos.map { Array($0.name.utf8) })
    var leftOut: [String] = []
    let paths = subtitlesBeside()
    let beside = paths.isEmpty ? nil : try? SubtitleFileList(paths: paths) { leftOut.append($0) }
    let read =
      beside?.sentences(
        isKnown: { names.contains(Array($0.utf8)) }, encoding: encoding, frameRate: VideoBeside.frameRate,
        onSkip: { leftOut.append($0) }, onNote: { _ in }) ?? [:]
    let isOfUse = read.contains { !$0.value.isEmpty }
    // Else what reads the folder tells it.
    if !isOfUse { leftOut.filter { !library.leftOut.contains($0) }.forEach(tell) }
    let complete = (beside?.complete { names.contains(Array($0.utf8)) } ?? []).filter {
      read[Name(String(decoding: $0, as: UTF8.self))]?.isEmpty == false
    }
    var transcripts = try Transcripts(work: index, recognizer: recognizer)
    for video in library.videos where !complete.contains(Array(video.name.utf8)) {
      let track = SubtitleTrack.preferred(of: (try? VideoFile.subtitles(of: video.path)) ?? [])
      let own = "\(inside)/\(video.name).srt"
      if track?.isPartial ?? true, let transcript = try transcripts.file(of: video, tell: tell) {
        try OutputFolder.make(inside)
        try AtomicFile.write(try FileBytes.read(path: transcript), to: own)
      } else if let track {
        if track.signs > 0 {
          tell("\(video.path): \(track.signs) cues of signs in it are not said; they are left out")
        }
        try OutputFolder.make(inside)
        try AtomicFile.write(SubtitleFile.subRip(track.cues), to: own)
      } else {
        continue
      }
      found = true
    }
    return (isOfUse ? paths : []) + (found ? [inside] : [])
  }

  /// The folder of the videos, or of a video that is named itself the subtitle files that are named
  /// after it.
  private func subtitlesBeside() -> [String] {
    guard !FileManager.default.isFolder(videos) else { return [videos] }
    let folder = (videos as NSString).deletingLastPathComponent
    let stem = Array(FileEndings.stem(of: videos).utf8)
    let names = ((try? FolderNames(path: folder.isEmpty ? "." : folder).entries) ?? []).filter {
      $0.kind != .folder && $0.name.utf8.starts(with: stem)
    }
    return names.map { folder.isEmpty ? $0.name : "\(folder)/\($0.name)" }
      .filter { SubtitleFileList.isMeant(by: $0) }.sorted()
  }

  /// Shows and runs one command of this program.
  private func run(_ arguments: [String]) throws {
    Console.standardError.print("$ \(ShellWords.line(["hero"] + arguments))")
    let status = Program.run(arguments: arguments)
    guard status == 0 else { throw ExitCode(status) }
  }
}
