import Formats
import Foundation

/// Subtitle files of many videos, each named after its video: `castle_s01e01.srt`,
/// `castle_s01e01.en.vtt`.
public struct SubtitleFileList {
  /// A file and the meaning of its name.
  struct Candidate {
    var path: String
    /// The name without its extension.
    var stem: String
    /// The name without its extension and without marks of a language or a purpose.
    var bare: String
    var marks: Marks
  }

  /// The marks at the end of a name; the lowest `rank` is wanted most.
  struct Marks {
    /// Whether the subtitles hold only signs and foreign words, or a commentary instead of the
    /// speech.
    var isPartial = false
    /// The language: 0 for none, 1 for English, which the models know, 2 for another.
    var language = 0
    /// Whether the subtitles describe noises, for people who hear little.
    var hasNoises = false

    var rank: (Int, Int, Int) { (isPartial ? 1 : 0, language, hasNoises ? 1 : 0) }
  }

  private let candidates: [Candidate]

  /// Returns whether a path means subtitle files and not an annotation: a folder or a subtitle
  /// file.
  public static func isMeant(by path: String) -> Bool {
    FileManager.default.isFolder(path) || isSubtitles(path) || SubtitleFile.isFound(in: path)
  }

  private static let endings = Set(SubtitleFile.endings)

  /// The extensions of unsupported subtitle formats: pictures of text, or formats without marks of
  /// their own.
  private static let unreadEndings: Set<String> = ["idx", "mcc", "rt", "scc", "stl", "sup", "usf"]

  private static func isSubtitles(_ path: String) -> Bool { endings.contains(FileEndings.ending(of: path)) }

  /// Returns whether a file has a format that is not read, as both files of VobSub have.
  private static func isUnread(_ path: String) -> Bool {
    unreadEndings.contains(FileEndings.ending(of: path)) || SubtitleFile.isPictures(path: path)
  }

  /// Lists the given files, and the files in the given folders.
  /// - Parameter onLeftOut: takes a line for whatever is skipped in folders or given twice.
  /// - Throws: `DataError` for a path that is neither, or a folder without subtitles.
  public init(paths: [String], onLeftOut: (String) -> Void = { _ in }) throws {
    var candidates: [Candidate] = []
    var seen: Set<Name> = []
    for path in paths {
      guard seen.insert(Name((path as NSString).standardizingPath)).inserted else {
        onLeftOut("\(path): is given twice and read once")
        continue
      }
      guard FileManager.default.isFolder(path) else {
        try PlainFile.size(path)
        candidates.append(Candidate(path: path))
        continue
      }
      let all = try FolderFiles.list(
        path, endings: Self.endings.union(Self.unreadEndings).union(SubtitleFile.sharedEndings),
        onLeftOut: onLeftOut)
      let unread = all.filter { Self.isUnread("\(path)/\($0)") }
      for name in unread {
        onLeftOut("\(path)/\(name): subtitles of this format are not read. Convert them to .srt")
      }
      let isUnread = Set(unread.map { Name($0) })
      let found = all.filter { name in
        !isUnread.contains(Name(name))
          && (Self.isSubtitles(name) || SubtitleFile.isFound(in: "\(path)/\(name)"))
      }
      guard !found.isEmpty else {
        throw DataError(
          "there is no subtitle file in this folder", file: path,
          cure: "Put files in it whose names end in .srt or .vtt, named after their videos")
      }
      candidates += found.map { Candidate(path: "\(path)/\($0)") }
    }
    self.candidates = candidates
  }

  /// Returns every video with its files in the order of preference.
  ///
  /// Full files come before forced ones. Among these, names without a language come first, then
  /// English, which the models know.
  /// - Parameter isKnown: returns whether a video of a name exists: then no part of the name is a
  ///   language.
  func byVideo(isKnown: (String) -> Bool) -> [(video: String, paths: [String])] {
    ordered(isKnown: isKnown).map { ($0.video, $0.files.map(\.path)) }
  }

  /// Returns the names of videos that have subtitles of all that is said.
  /// - Parameter isKnown: see ``byVideo(isKnown:)``.
  /// - Returns: the names' bytes.
  public func complete(isKnown: (String) -> Bool) -> Set<[UInt8]> {
    Set(
      ordered(isKnown: isKnown).filter { $0.files.contains { !$0.isPartial } }.map { Array($0.video.utf8) })
  }

  private func ordered(
    isKnown: (String) -> Bool
  ) -> [(video: String, files: [(path: String, isPartial: Bool)])] {
    var order: [String] = []
    let folders = FolderVideos()
    // Only files named after a language alone are compared by size.
    var files: [[UInt8]: [(marks: Marks, path: String, size: Int)]] = [:]
    for candidate in candidates {
      var (video, marks) = candidate.meant(isKnown: isKnown)
      var size = 0
      if !isKnown(video), let own = candidate.marksAlone,
        let other = candidate.videoOfFolder(folders, isKnown)
      {
        ((video, marks), size) = ((other, own), (try? PlainFile.size(candidate.path)) ?? 0)
      }
      let key = Array(video.utf8)
      if files[key] == nil { order.append(video) }
      files[key, default: []].append((marks, candidate.path, size))
    }
    return order.map { video in
      let own = files[Array(video.utf8), default: []].enumerated().sorted { a, b in
        let (x, y) = (a.element.marks.rank, b.element.marks.rank)
        if x != y { return x < y }
        let (p, q) = (a.element.size, b.element.size)
        return p != q ? p > q : a.offset < b.offset
      }
      return (video, own.map { ($0.element.path, $0.element.marks.isPartial) })
    }
  }
}

extension SubtitleFileList.Candidate {
  /// Returns the video that the file belongs to, and the marks that are no part of its name.
  ///
  /// Speech recognizers append to the video's whole file name, `clip.mp4.srt`. Some people write
  /// `clip_eng.srt` and `clip-en.srt`.
  fileprivate func meant(
    isKnown: (String) -> Bool
  ) -> (video: String, marks: SubtitleFileList.Marks) {
    if isKnown(stem) { return (stem, SubtitleFileList.Marks()) }
    if isKnown(bare) { return (bare, marks) }
    if FileEndings.videos.contains(FileEndings.ending(of: bare)) {
      let inner = FileEndings.stem(of: bare)
      if isKnown(inner) { return (inner, marks) }
    }
    var (rest, own) = (bare[...], marks)
    while let place = rest.utf8.lastIndex(where: { [0x20, 0x2D, 0x5F].contains($0) }),
      own.takeKnown(rest[rest.utf8.index(after: place)...])
    {
      rest = rest[..<place]
      if isKnown(String(rest)) { return (String(rest), own) }
    }
    if let found = videoBeforeMarks(isKnown) { return found }
    return (bare, marks)
  }

  fileprivate init(path: String) {
    let stem = FileEndings.stem(of: path)
    var parts = stem.split(separator: ".", omittingEmptySubsequences: false)
    var marks = SubtitleFileList.Marks()
    while parts.count > 1, let last = parts.last, marks.take(last) { parts.removeLast() }
    self.init(path: path, stem: stem, bare: parts.joined(separator: "."), marks: marks)
  }
}

extension SubtitleFileList.Marks {
  static let languages: Set<String> = [
    "english", "german", "french", "spanish", "italian", "portuguese", "russian", "japanese", "chinese",
    "korean",
    "dutch", "polish", "turkish", "swedish",
  ]

  /// Codes of languages that films are subtitled in.
  static let codes: Set<String> = Set(
    """
    ar ara bg bul bn ben bs bos ca cat cs ces cze da dan de deu ger el ell gre en eng es spa et est eu eus fa fas
    per fi fin fr fra fre gl glg he heb hi hin hr hrv hu hun id ind is isl ice it ita ja jpn ko kor lt lit lv lav
    mk mkd ms msa nb nob nl nld dut no nor pl pol pt por ro ron rum ru rus sk slk slo sl slv sq sqi sr srp sv swe
    ta tam te tel th tha tl tr tur uk ukr ur urd vi vie zh zho chi
    """.split { $0 == " " || $0 == "\n" }.map(String.init))

  /// Notes a known language or purpose in a part of a name behind a blank, a hyphen or an
  /// underscore.
  ///
  /// Returns false for other words, which may stand there too.
  mutating func takeKnown(_ part: Substring) -> Bool {
    let word = part.lowercased()
    guard
      Self.languages.contains(word) || Self.codes.contains(word) || ["forced", "sdh", "signs"].contains(word)
    else { return false }
    return take(part)
  }

  /// Notes what a part of a name says: `en`, `pt-BR`, `eng`, `zh-Hans`, `forced`.
  ///
  /// Returns false if it says nothing of this kind.
  mutating func take(_ part: Substring) -> Bool {
    let word = part.lowercased()
    switch word {
    case "forced", "foreign", "signs", "songs", "commentary": isPartial = true
    case "sdh", "cc", "hi": hasNoises = true
    case "default", "full", "auto", "orig": break
    default:
      guard language == 0,
        Self.languages.contains(word)
          || part.wholeMatch(of: /[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?/) != nil
      else { return false }
      language = word.hasPrefix("en") ? 1 : 2
    }
    return true
  }
}

/// Cues as rows of an annotation.
extension SubtitleCue {
  var json: JSON { ["text": .string(text), "start": .double(start), "end": .double(end)] }
}
