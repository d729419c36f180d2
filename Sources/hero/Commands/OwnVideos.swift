import ArgumentParser
import Corpus
import Formats
import Foundation
import Search
import Training
import Vision

/// Makes stores of a folder of videos, in a folder beside the index, for `hero index --videos`.
///
/// Each step is a command that is shown and can be repeated by hand. Existing features are kept. So
/// an interrupted run continues, and a new video costs only its own time. Replaced files get new
/// features.
struct OwnVideos {
  /// The folder of the videos and of any subtitle files, or one video.
  let videos: String
  /// The folder for features and stores.
  let index: IndexWork
  let networks: OwnNetworks
  /// Seconds per frame.
  let frameLength: Double
  /// The encoding of subtitle files that are not Unicode; nil to guess it.
  let encoding: String?
  /// The recognizer that transcribes videos without subtitles; nil to leave them without.
  let recognizer: SpeechRecognizer?
  /// The lock on the folder, held from its first change on.
  let lock = WorkLock()

  private var work: String { index.path }
  private var store: String { index.features }
  private var subtitleStore: String { index.subtitles }

  /// Makes the missing features and stores.
  /// - Parameters:
  ///   - index: the index's path.
  ///   - tokenizer: the model's tokenizer.
  ///   - tell: called with a line for each note on a file.
  /// - Returns: the stores and the videos; no subtitle store if there are no subtitles.
  func prepare(
    for index: String, tokenizer: String, tell: (String) -> Void
  ) throws -> (features: String, subtitles: String?, library: VideoLibrary) {
    let (library, paths) = try openLibrary(for: index, tell: tell)
    let (features, subtitles) = try prepare(paths, library, tokenizer: tokenizer, tell: tell)
    return (features, subtitles, library)
  }

  /// Makes CLIP's missing features and reads subtitles.
  ///
  /// CLIP needs no store.
  /// - Parameters:
  ///   - index: the index's path.
  ///   - width: the number of elements of a row.
  ///   - tell: called with a line for each note on a file.
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

  /// Returns the videos of the folder and the paths for `extract-features`.
  ///
  /// Removes features of replaced files, and refuses features of other weights.
  private func openLibrary(
    for index: String, tell: (String) -> Void
  ) throws -> (library: VideoLibrary, paths: [String]) {
    var library = try VideoLibrary(folder: videos, work: self.index, networks: networks.parts)
    let known = try Self.files(of: index)
    let others = library.leaveOutNamesakes(in: known)
    others.forEach(tell)
    // If videos are named one by one, no other step reports what the folder skips.
    if !others.isEmpty { library.leftOut.forEach { tell("left out: \($0)") } }
    guard !library.videos.isEmpty else {
      throw DataError("none of its videos is left", file: videos, cure: "See the lines above")
    }
    // Checks that may fail come before the folder is made.
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

  /// Returns the files that an index names, by the names of the videos.
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

  /// Returns whether the feature store has every video that has features.
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

  /// Returns the folders of subtitle files: the videos' own and one for extracted subtitles.
  ///
  /// The latter holds subtitles from inside the videos or from their sound. A file beside a video
  /// comes first, as somebody chose it. If it is missing, damaged or forced, the track inside
  /// follows, and then a transcript.
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
    // Otherwise the step that reads the folder reports them.
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

  /// Returns the folder of the videos or, for a single video, the subtitle files named after it.
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

  /// Prints and runs one command of this program.
  private func run(_ arguments: [String]) throws {
    Console.standardError.print("$ \(ShellWords.line(["hero"] + arguments))")
    let status = Program.run(arguments: arguments)
    guard status == 0 else { throw ExitCode(status) }
  }
}
