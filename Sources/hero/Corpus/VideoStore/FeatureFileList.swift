import Formats
import Foundation

/// A video and the files of its features.
struct FeatureFiles: Equatable, Sendable {
  var name: String
  /// A file for each part of the features, in their order; nil where the listing says that there is none.
  var files: [String?]
  /// The frames the listing promises, if it does.
  var frames: Int?
}

/// Lists the videos of a source of feature files.
struct FeatureFileList {
  private let source: VideoStoreOptions.Source
  /// What the features are made of, in their order in a frame.
  private let parts: [String]

  init(_ source: VideoStoreOptions.Source, parts: [String]) {
    self.source = source
    self.parts = parts
  }

  /// The folders of the parts, as messages name them.
  private var folders: String { parts.map { "\($0)_features/" }.joined(separator: " and ") }

  /// The videos, each once, and a line for whatever was not taken.
  func videos() throws -> (videos: [FeatureFiles], notes: [String]) {
    let listed: (videos: [FeatureFiles], notes: [String]) =
      switch source {
      case .folder(let path): try videos(inFolder: path)
      case .infoFile(let path): (try videos(inInfoFile: path), [])
      }
    guard !listed.videos.isEmpty else {
      throw DataError(
        "there are no feature files", file: source.path,
        cure: "Give the folder that holds \(folders) with <vid>.npz in them")
    }
    return listed
  }

  // MARK: Folder

  private func videos(inFolder folder: String) throws -> ([FeatureFiles], [String]) {
    let roots = parts.map { "\(folder)/\($0)_features" }
    for root in roots where !FileManager.default.isFolder(root) {
      throw DataError(
        "there is no such folder", file: root,
        cure: "Give the folder that holds \(folders), or say by --features what there is")
    }
    let found = try roots.map { root in
      var files: [String] = []
      try list(root, under: "", depth: 0, into: &files)
      return Set(files)
    }
    var places: [String: String] = [:]
    var notes: [String] = []
    var videos: [FeatureFiles] = []
    for file in found.reduce(into: Set<String>(), { $0.formUnion($1) }).sorted() {
      let name = String((file as NSString).lastPathComponent.dropLast(".npz".count))
      if let first = places.updateValue(file, forKey: name) {
        places[name] = first
        notes.append("\(folder): video \"\(name)\" is there twice; \(first) is taken, \(file) is not")
        continue
      }
      videos.append(
        FeatureFiles(
          name: name, files: zip(roots, found).map { $1.contains(file) ? "\($0)/\(file)" : nil }))
    }
    return (videos, notes)
  }

  /// Collects the `.npz` files under `root`, links followed to a depth that no loop outlasts.
  private func list(_ root: String, under folder: String, depth: Int, into files: inout [String]) throws {
    let path = folder.isEmpty ? root : "\(root)/\(folder)"
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw DataError("cannot list the folder: \(error.localizedDescription)", file: path)
    }
    for name in names {
      let file = folder.isEmpty ? name : "\(folder)/\(name)"
      if name.hasSuffix(".npz") {
        files.append(file)
      } else if depth < 8, FileManager.default.isFolder("\(root)/\(file)") {
        try list(root, under: file, depth: depth + 1, into: &files)
      }
    }
  }

  // MARK: Info file

  private func videos(inInfoFile path: String) throws -> [FeatureFiles] {
    guard Set(parts) == ["resnet", "slowfast"], parts.count == 2 else {
      throw DataError(
        "lists resnet and slowfast features only", file: path,
        cure: "Give the folder of the features in its place")
    }
    guard let entries = try Pickle.read(path: path).entries else {
      throw DataError(
        "is not a dictionary of videos", file: path, cure: "Give the video_feat_info.pkl of the reference")
    }
    let videos = try entries.map { entry in
      guard let name = entry.key.string, let parts = entry.value.elements, parts.count >= 3,
        let frames = parts[0].int, let slowfast = parts[1].string, let resnet = parts[2].string
      else {
        throw DataError(
          "is not (frames, slowfast path, resnet path, folder)", file: path,
          place: "video \"\(entry.key.string ?? "?")\"", cure: "Give the video_feat_info.pkl of the reference"
        )
      }
      // The reference notes an unreadable file as an empty path.
      let files = self.parts.map { $0 == "resnet" ? resnet : slowfast }
      return FeatureFiles(name: name, files: files.map { $0.isEmpty ? nil : $0 }, frames: frames)
    }
    let root = try root(of: videos, listedIn: path)
    return videos.map { video in
      var video = video
      video.files = video.files.map { $0.map { resolve($0, in: root) } }
      return video
    }
  }

  /// The folder that relative paths start from: the current one, as in the reference, else the info file's own or the
  /// nearest one around it, whichever has one of the files.
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
