import Formats
import Foundation

/// A video and the two files of its features.
struct FeatureFiles: Equatable, Sendable {
  var name: String
  /// Nil where the listing says that there is none.
  var slowfast: String?
  var resnet: String?
  /// The frames the listing promises, if it does.
  var frames: Int?
}

/// Lists the videos of a source of feature files.
struct FeatureFileList {
  private let source: VideoStoreOptions.Source

  init(_ source: VideoStoreOptions.Source) {
    self.source = source
  }

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
        cure: "Give the folder that holds slowfast_features/ and resnet_features/ with <vid>.npz in them")
    }
    return listed
  }

  // MARK: Folder

  private func videos(inFolder folder: String) throws -> ([FeatureFiles], [String]) {
    let roots = ["slowfast_features", "resnet_features"].map { "\(folder)/\($0)" }
    for root in roots where !isFolder(root) {
      throw DataError(
        "there is no such folder", file: root,
        cure: "Give the folder that holds slowfast_features/ and resnet_features/")
    }
    let found = try roots.map { root in
      var files: [String] = []
      try list(root, under: "", depth: 0, into: &files)
      return Set(files)
    }
    var places: [String: String] = [:]
    var notes: [String] = []
    var videos: [FeatureFiles] = []
    for file in found[0].union(found[1]).sorted() {
      let name = String((file as NSString).lastPathComponent.dropLast(".npz".count))
      if let first = places.updateValue(file, forKey: name) {
        places[name] = first
        notes.append("\(folder): video \"\(name)\" is there twice; \(first) is taken, \(file) is not")
        continue
      }
      videos.append(
        FeatureFiles(
          name: name, slowfast: found[0].contains(file) ? "\(roots[0])/\(file)" : nil,
          resnet: found[1].contains(file) ? "\(roots[1])/\(file)" : nil))
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
      } else if depth < 8, isFolder("\(root)/\(file)") {
        try list(root, under: file, depth: depth + 1, into: &files)
      }
    }
  }

  private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  // MARK: Info file

  private func videos(inInfoFile path: String) throws -> [FeatureFiles] {
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
      return FeatureFiles(
        name: name, slowfast: slowfast.isEmpty ? nil : slowfast, resnet: resnet.isEmpty ? nil : resnet,
        frames: frames)
    }
    let root = try root(of: videos, listedIn: path)
    return videos.map { video in
      var video = video
      video.slowfast = video.slowfast.map { resolve($0, in: root) }
      video.resnet = video.resnet.map { resolve($0, in: root) }
      return video
    }
  }

  /// The folder that relative paths start from: the current one, as in the reference, else the info file's own or the
  /// nearest one around it, whichever has one of the files.
  private func root(of videos: [FeatureFiles], listedIn path: String) throws -> String {
    let samples = videos.lazy.flatMap { [$0.slowfast, $0.resnet] }.compactMap { $0 }
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
