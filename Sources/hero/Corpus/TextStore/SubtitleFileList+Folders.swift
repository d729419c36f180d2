import Formats
import Foundation

/// Files that lie in a folder of their video and are named after a language, and names that end in
/// marks of any form.
///
/// Examples of the first are `Subs/clip/2_English.srt` and `clip/Subs/eng.srt`.
extension SubtitleFileList.Candidate {
  private static let folders: Set<String> = ["sub", "subs", "subtitle", "subtitles"]

  /// The marks of a name that holds only numbers, languages and purposes; nil if it has other
  /// words.
  ///
  /// Such names are `2_English` and `eng [SDH]`.
  var marksAlone: SubtitleFileList.Marks? {
    SubtitleFileList.Marks(saidBy: stem[...], numbersFirst: true, passing: Self.folders)
  }

  /// Returns the known video that the name begins with, and the marks behind it.
  ///
  /// Only marks may follow, in any brackets: `clip [forced]`, `clip.English (SDH)`, `clip.en.2`.
  func videoBeforeMarks(_ isKnown: (String) -> Bool) -> (video: String, marks: SubtitleFileList.Marks)? {
    var places = Array(stem.indices.filter { !stem[$0].isLetter && !stem[$0].isNumber })
    // A name may have any length, but the marks behind a video's name are short.
    places = places.suffix(8)
    for place in places.reversed() {
      let video = String(stem[..<place])
      if isKnown(video), let marks = SubtitleFileList.Marks(saidBy: stem[place...]) { return (video, marks) }
    }
    return nil
  }

  /// Returns the known video that the file's folder, or the one above it, is named after.
  ///
  /// A folder that holds a folder of subtitles and only one video also stands for that video.
  func videoOfFolder(_ folders: FolderVideos, _ isKnown: (String) -> Bool) -> String? {
    var folder = (path as NSString).deletingLastPathComponent
    for _ in 0..<2 {
      let name = (folder as NSString).lastPathComponent
      guard !name.isEmpty, name != "/" else { return nil }
      if isKnown(name) { return name }
      guard Self.folders.contains(name.lowercased()) else { return nil }
      folder = (folder as NSString).deletingLastPathComponent
      let stems = folders.names(in: folder)
      if stems.count == 1, isKnown(stems[0]) { return stems[0] }
    }
    return nil
  }
}

/// The names of the videos in folders; each folder is read once.
final class FolderVideos {
  private var found: [[UInt8]: [String]] = [:]

  /// Returns the videos in a folder, without those in its subfolders.
  func names(in folder: String) -> [String] {
    let key = Array(folder.utf8)
    if let names = found[key] { return names }
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
    let names = all.filter { !$0.hasPrefix(".") && FileEndings.videos.contains(FileEndings.ending(of: $0)) }
      .map { FileEndings.stem(of: $0) }
    found[key] = names
    return names
  }
}

extension SubtitleFileList.Marks {
  private static let purposes: Set<String> = [
    "auto", "cc", "commentary", "default", "foreign", "forced", "full", "orig", "sdh", "signs", "songs",
  ]

  /// Reads the marks in some words; nil if a word is no mark, or if there is none.
  /// - Parameters:
  ///   - numbersFirst: whether a number may come before the first mark; behind a video's name such
  ///     a number belongs to another video's name.
  ///   - passed: words to ignore.
  init?(saidBy text: Substring, numbersFirst: Bool = false, passing passed: Set<String> = []) {
    var (saysAny, hasLanguage) = (false, false)
    for part in text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
      let word = String(part)
      if passed.contains(word) { continue }
      if word.allSatisfy(\.isNumber) {
        guard saysAny || numbersFirst else { return nil }
        continue
      }
      saysAny = true
      if Self.purposes.contains(word) {
        _ = take(part)
        continue
      }
      let isLanguage = Self.languages.contains(word) || Self.codes.contains(word)
      // A second one repeats the language or names its country.
      guard isLanguage || (hasLanguage && word.utf8.count == 2) else { return nil }
      if !hasLanguage { language = word.hasPrefix("en") ? 1 : 2 }
      hasLanguage = true
    }
    guard saysAny || numbersFirst else { return nil }
  }
}
