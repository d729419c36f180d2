import Formats
import Foundation

/// Subtitle files of many videos, each named after its video: `castle_s01e01.srt`, `castle_s01e01.en.vtt`.
struct SubtitleFileList {
  /// A file, and what its name says.
  fileprivate struct Candidate {
    var path: String
    /// The name without its ending.
    var stem: String
    /// The name without marks of a language either.
    var bare: String
  }

  private let candidates: [Candidate]

  /// Whether paths mean subtitle files and not an annotation: a folder, or a file with the ending of subtitles.
  static func isMeant(by path: String) -> Bool {
    FileManager.default.isFolder(path) || isSubtitles(path)
  }

  private static func isSubtitles(_ path: String) -> Bool {
    SubtitleFile.endings.contains((path as NSString).pathExtension.lowercased())
  }

  /// The files that are named, and those in the folders that are.
  /// - Throws: `DataError` for a path that is neither, or a folder without subtitles.
  init(paths: [String]) throws {
    var candidates: [Candidate] = []
    for path in paths {
      guard FileManager.default.fileExists(atPath: path) else {
        throw DataError("there is no such file or folder", file: path, cure: "Check the path")
      }
      guard FileManager.default.isFolder(path) else {
        candidates.append(Candidate(path: path))
        continue
      }
      let names = (FileManager.default.enumerator(atPath: path)?.allObjects as? [String]) ?? []
      let found = names.filter { Self.isSubtitles($0) }.sortedByBytes()
      guard !found.isEmpty else {
        throw DataError(
          "there is no subtitle file in this folder", file: path,
          cure: "Put files in it whose names end in .srt or .vtt, named after their videos")
      }
      candidates += found.map { Candidate(path: "\(path)/\($0)") }
    }
    self.candidates = candidates
  }

  /// Every file's video, the files of one video in the order in which they should be taken: a name without a language first,
  /// then English, which is what the models know.
  /// - Parameter isKnown: whether there is a video of a name: then nothing of the name is taken for a language.
  func byVideo(isKnown: (String) -> Bool) -> [(video: String, paths: [String])] {
    var order: [String] = []
    var paths: [Name: [(rank: Int, path: String)]] = [:]
    for candidate in candidates {
      let video = isKnown(candidate.stem) ? candidate.stem : candidate.bare
      if paths[video] == nil { order.append(video) }
      let language = candidate.stem.dropFirst(video.count).lowercased()
      let rank = language.isEmpty ? 0 : language.hasPrefix(".en") ? 1 : 2
      paths[Name(video), default: []].append((rank, candidate.path))
    }
    return order.map { video in
      let own = paths[Name(video), default: []].enumerated().sorted { a, b in
        (a.element.rank, a.offset) < (b.element.rank, b.offset)
      }
      return (video, own.map(\.element.path))
    }
  }
}

extension SubtitleFileList.Candidate {
  fileprivate init(path: String) {
    let stem = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    self.init(path: path, stem: stem, bare: Self.withoutLanguage(stem))
  }

  /// `clip.en`, `clip.pt-BR`, `clip.eng.forced`, `clip.zh-Hans` → `clip`.
  private static func withoutLanguage(_ stem: String) -> String {
    let purposes: Set<String> = ["forced", "sdh", "cc", "hi", "default", "full"]
    var parts = stem.split(separator: ".", omittingEmptySubsequences: false)
    while parts.count > 1, let last = parts.last, purposes.contains(last.lowercased()) { parts.removeLast() }
    if parts.count > 1, let last = parts.last,
      last.wholeMatch(of: /[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?/) != nil
    {
      parts.removeLast()
    }
    return parts.joined(separator: ".")
  }
}

/// Cues as rows of an annotation.
extension SubtitleCue {
  var json: JSON { ["text": .string(text), "start": .double(start), "end": .double(end)] }
}
