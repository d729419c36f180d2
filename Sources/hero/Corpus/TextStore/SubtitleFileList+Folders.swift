import Formats
import Foundation

/// Files in a folder of their video, named after a language: `Subs/clip/2_English.srt`,
/// `clip/Subs/eng.srt`.
extension SubtitleFileList.Candidate {
  private static let folders: Set<String> = ["sub", "subs", "subtitle", "subtitles"]

  private static let purposes: Set<String> = [
    "auto", "cc", "commentary", "default", "forced", "full", "orig", "sdh", "signs", "songs",
  ]

  /// What the name says where it says nothing but numbers, languages and purposes, as `2_English`
  /// and `eng [SDH]`; nil where it has words of another kind.
  var marksAlone: SubtitleFileList.Marks? {
    var marks = SubtitleFileList.Marks()
    var hasLanguage = false
    for word in stem.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
      if word.allSatisfy(\.isNumber) || Self.folders.contains(String(word)) { continue }
      if Self.purposes.contains(String(word)) {
        _ = marks.take(word)
        continue
      }
      let isLanguage =
        SubtitleFileList.Marks.languages.contains(String(word))
        || SubtitleFileList.Marks.codes.contains(String(word))
      // A second one says it again, or which country's.
      guard hasLanguage ? isLanguage || word.utf8.count == 2 : isLanguage else { return nil }
      if !hasLanguage { marks.language = word.hasPrefix("en") ? 1 : 2 }
      hasLanguage = true
    }
    return marks
  }

  /// The known video that the folder of the file is named after, or the one above it; or the only
  /// one in the folder that holds the folder of subtitles.
  func videoOfFolder(_ isKnown: (String) -> Bool) -> String? {
    var folder = (path as NSString).deletingLastPathComponent
    for _ in 0..<2 {
      let name = (folder as NSString).lastPathComponent
      guard !name.isEmpty, name != "/" else { return nil }
      if isKnown(name) { return name }
      guard Self.folders.contains(name.lowercased()) else { return nil }
      folder = (folder as NSString).deletingLastPathComponent
      let stems = Self.videos(in: folder)
      if stems.count == 1, isKnown(stems[0]) { return stems[0] }
    }
    return nil
  }

  /// The names of the videos in a folder, without those in its own folders.
  private static func videos(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
    return names.filter { !$0.hasPrefix(".") && FileEndings.videos.contains(FileEndings.ending(of: $0)) }
      .map { FileEndings.stem(of: $0) }
  }
}
