import Formats
import Foundation

/// A video and the files of its features.
struct FeatureFiles: Equatable, Sendable {
  var name: String
  /// A file for each part of the features, in their order; nil where the list has none.
  var files: [String?]
  /// The number of frames in the list; nil if it has none.
  var frames: Int?
}

/// The list of the videos in a source of feature files.
struct FeatureFileList {
  private let source: VideoStoreOptions.Source
  /// The parts of the features, in their order in a frame.
  private let parts: [String]

  init(_ source: VideoStoreOptions.Source, parts: [String]) {
    self.source = source
    self.parts = parts
  }

  /// The folders of the parts, as messages name them.
  private var folders: String { parts.map { "\($0)_features/" }.joined(separator: " and ") }

  /// The videos, each once; the videos without a readable file; and a line for every skipped file.
  typealias Listing = (videos: [FeatureFiles], lost: [FeatureFiles], notes: [String])

  func videos() throws -> Listing {
    let listed: Listing =
      switch source {
      case .folder(let path): try videos(inFolder: path)
      case .infoFile(let path): try videos(inInfoFile: path)
      }
    guard !listed.videos.isEmpty else {
      throw DataError(
        "there are no feature files" + (listed.notes.first.map { "; \($0)" } ?? ""), file: source.path,
        cure: "Give the folder that holds \(folders) with <vid>.npz or <vid>.npy in them")
    }
    return listed
  }

  // MARK: Folder

  private func videos(inFolder folder: String) throws -> Listing {
    let roots = try parts.map { try root(of: $0, in: folder) }
    let found = try roots.map { try FolderListing(root: $0) }
    let names = found.reduce(into: Set<Name>()) { $0.formUnion($1.files.keys) }
    var notes = found.flatMap(\.notes)
    let videos: [FeatureFiles] = names.sorted().map { name in
      let own = found.map { $0.files[name] ?? [] }
      // Prefer a subfolder that all parts have; features may also lie in different ones.
      let shared = own[0].first { first in own.allSatisfy { $0.contains { $0.folder == first.folder } } }
      let taken = own.map { files in files.first { $0.folder == shared?.folder } ?? files.first }
      for (files, one) in zip(own, taken) {
        for file in files where file.path != one?.path {
          notes.append(
            "\(file.path): video \"\(name)\" is there twice; \(one?.path ?? "") is taken, this one is not")
        }
      }
      return FeatureFiles(name: name.text, files: taken.map { $0?.path })
    }
    // A video with a skipped file is listed as unreadable, unless another file of it was taken.
    let lost = found.reduce(into: Set<Name>()) { $0.formUnion($1.lost) }.subtracting(names)
    notes += Self.unlikeNames(videos, parts, in: folder)
    if let note = Normalization.note(among: names.union(lost).sorted().map(\.text), in: folder) {
      notes.append(note)
    }
    return (
      videos, lost.sorted().map { FeatureFiles(name: $0.text, files: parts.map { _ in nil }) }, notes
    )
  }

  /// Returns lines about the first two videos whose names differ only in case or in a video file's
  /// extension.
  ///
  /// One line is about two names with different parts, the other about two names that both have all
  /// parts.
  private static func unlikeNames(
    _ videos: [FeatureFiles], _ parts: [String], in folder: String
  ) -> [String] {
    var found: [Name: FeatureFiles] = [:]
    var (split, double): (String?, String?)
    for video in videos {
      let other = found.updateValue(video, forKey: Name(VideoFileName.stem(of: video.name).lowercased()))
      guard let other else { continue }
      let names = "\(folder): \(other.name.spelled) and \(video.name.spelled) look like one video"
      if !other.files.contains(nil), !video.files.contains(nil) {
        double = double ?? "\(names); both are stored, as two"
      } else if zip(other.files, video.files).allSatisfy({ $0 != nil || $1 != nil }) {
        split =
          split
          ?? "\(names), whose files in \(parts.joined(separator: ", ")) have different names; name them alike"
      }
    }
    return [split, double].compactMap { $0 }
  }

  /// Returns the folder of a part's files.
  private func root(of part: String, in folder: String) throws -> String {
    let names = FeatureVersion.folders(of: part)
    if let name = names.first(where: { FileManager.default.isFolder("\(folder)/\($0)") }) {
      return "\(folder)/\(name)"
    }
    guard FileManager.default.fileExists(atPath: folder) else {
      throw DataError("there is no such folder", file: folder, cure: DataError.missingCure(folder))
    }
    let others = ((try? FolderNames(path: folder).entries) ?? []).filter { $0.kind == .folder }.map(\.name)
    throw DataError(
      "there is no such folder, nor \(names.dropFirst().joined(separator: " nor "))"
        + (others.isEmpty ? "" : "; beside it are \(others.prefix(20).joined(separator: ", "))"),
      file: "\(folder)/\(names[0])",
      cure: "Give the folder that holds \(folders), or say by --features what there is")
  }

  // MARK: Info file

  private func videos(inInfoFile path: String) throws -> Listing {
    guard FeatureVersion.isPair(parts) else {
      throw DataError(
        "lists features of a network of pictures and of one of stretches, such as resnet and slowfast",
        file: path,
        cure: "Give the folder of the features in its place")
    }
    guard let entries = try Pickle.read(path: path).entries else {
      throw DataError(
        "is not a dictionary of videos", file: path, cure: "Give the video_feat_info.pkl of the reference")
    }
    var (videos, lost, firstProblem): ([FeatureFiles], [FeatureFiles], DataError?) = ([], [], nil)
    var notes: [String] = []
    for entry in entries {
      let name = entry.key.string ?? "?"
      guard entry.key.string != nil, let parts = entry.value.elements, parts.count >= 3,
        let frames = parts[0].int ?? parts[0].double.flatMap({ Int(exactly: $0) }), frames >= 0,
        let deep = Self.path(parts[1]), let flat = Self.path(parts[2])
      else {
        let problem = DataError(
          "is not (frames, slowfast path, resnet path, folder)", file: path, place: "video \"\(name)\"")
        firstProblem = firstProblem ?? problem
        notes.append(problem.sentence)
        lost.append(FeatureFiles(name: name, files: self.parts.map { _ in nil }))
        continue
      }
      guard flat.isEmpty || flat != deep else {
        throw DataError(
          "names one file, \(flat), for both networks, as the list that VALUE's script makes does",
          file: path,
          place: "video \"\(name)\"", cure: "Give --feature-dir in place of the list")
      }
      // The reference notes an unreadable file as an empty path. Windows writes paths with
      // backslashes.
      let files = self.parts.map { FeatureVersion.isFlat($0) ? flat : deep }.map {
        $0.contains("/") ? $0 : $0.replacing("\\", with: "/")
      }
      videos.append(FeatureFiles(name: name, files: files.map { $0.isEmpty ? nil : $0 }, frames: frames))
    }
    if videos.isEmpty, let firstProblem {
      throw firstProblem.located(cure: "Give the video_feat_info.pkl of the reference")
    }
    let root = try root(of: videos, listedIn: path)
    let resolved = videos.map { video in
      var video = video
      video.files = video.files.map { $0.map { resolve($0, in: root) } }
      return video
    }
    return (resolved, lost, notes)
  }

  /// Returns the path in an entry, or "" for `None`; nil for a value of another type.
  private static func path(_ value: PickleValue) -> String? { value == .none ? "" : value.string }

  /// Returns the folder that relative paths start from: the first candidate that has one of the
  /// files.
  ///
  /// The candidates are the current folder, as in the reference, then the info file's own and those
  /// around it.
  private func root(of videos: [FeatureFiles], listedIn path: String) throws -> String {
    let samples = videos.lazy.flatMap(\.files).compactMap { $0 }
      .filter { !$0.hasPrefix("/") }.prefix(64)
    guard !samples.isEmpty else { return "." }
    var candidates = ["."]
    var folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
    while true {
      candidates.append(folder.path)
      if folder.path == "/" || folder.path.isEmpty { break }
      folder = folder.deletingLastPathComponent()
    }
    let root = candidates.first { root in
      samples.contains { FileManager.default.fileExists(atPath: resolve($0, in: root)) }
    }
    guard let root else {
      throw DataError(
        "its files are not there: no “\(samples.first ?? "")” from the current folder, the file's own or those around it",
        file: path, cure: "Run in the folder that its paths are relative to")
    }
    return root
  }

  private func resolve(_ path: String, in root: String) -> String {
    path.hasPrefix("/") || root == "." ? path : "\(root)/\(path)"
  }
}
