import Formats
import Foundation

/// Files in a folder of their video, named after a language: `Subs/clip/2_English.srt`,
/// `clip/Subs/eng.srt`; and files whose names end in marks of any form.
extension SubtitleFileList.Candidate {
  private static let folders: Set<String> = ["sub", "subs", "subtitle", "subtitles"]

  /// What the name says where it says nothing but numbers, languages and purposes, as `2_English`
  /// and `eng [SDH]`; nil where it has words of another kind.
  var marksAlone: SubtitleFileList.Marks? {
    SubtitleFileList.Marks(saidBy: stem[...], numbersFirst: true, passing: Self.folders)
  }

  /// The known video that the name begins with, and what follows it where that is marks alone, in
  /// whatever brackets: `clip [forced]`, `clip.English (SDH)`, `clip.en.2`.
  func videoBeforeMarks(_ isKnown: (String) -> Bool) -> (video: String, marks: SubtitleFileList.Marks)? {
    var places = Array(stem.indices.filter { !stem[$0].isLetter && !stem[$0].isNumber })
    // Names of any length: what follows a video's name is short.
    places = places.suffix(8)
    for place in places.reversed() {
      let video = String(stem[..<place])
      if isKnown(video), let marks = SubtitleFileList.Marks(saidBy: stem[place...]) { return (video, marks) }
    }
    return nil
  }

  /// The known video that the folder of the file is named after, or the one above it; or the only
  /// one in the folder that holds the folder of subtitles.
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

/// The names of the videos in folders, each read once.
final class FolderVideos {
  private var found: [[UInt8]: [String]] = [:]

  /// The videos in a folder, without those in its own folders.
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

  /// What words say of subtitles; nil where one of them says something else, or none says anything.
  /// - Parameters:
  ///   - numbersFirst: whether a number may come before the first word that says something; behind
  ///     a video's name it would part another video's name from this one's.
  ///   - passed: words that say nothing here.
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
      // A second one says it again, or which country's.
      guard isLanguage || (hasLanguage && word.utf8.count == 2) else { return nil }
      if !hasLanguage { language = word.hasPrefix("en") ? 1 : 2 }
      hasLanguage = true
    }
    guard saysAny || numbersFirst else { return nil }
  }
}
