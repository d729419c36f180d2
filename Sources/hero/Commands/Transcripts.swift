import Formats
import Foundation
import Search
import Training
import Vision

/// Transcripts of videos without subtitles, made by a speech recognizer, beside their features.
///
/// A transcript belongs to a model and to the content of a file (`FileMark`), whatever the file's
/// path. Its name consists of their hashes: `OUTPUT.work/transcripts/FILE-MODEL.srt`.
struct Transcripts {
  let folder: String
  /// The recognizer; nil to use only existing transcripts.
  let recognizer: SpeechRecognizer?
  private let model: String?
  /// The names of existing files, oldest first.
  private var made: [String]

  /// Lists the existing transcripts.
  ///
  /// - Throws: `DataError` where the model cannot be read or the folder cannot be listed.
  init(work: IndexWork, recognizer: SpeechRecognizer?) throws {
    folder = "\(work.path)/transcripts"
    self.recognizer = recognizer
    model = try recognizer.map { try FileMark(path: $0.model).hash }
    made = try FileManager.default.isFolder(folder) ? FolderFiles.list(folder, endings: ["srt"]) { _ in } : []
    let dates = try made.map { try FileMark(path: "\(folder)/\($0)").time }
    made = zip(made, dates).sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
  }

  /// Tries the model, unless it has made transcripts here before.
  /// - Throws: `DataError` where the model cannot transcribe any video.
  func tryModel() throws {
    guard let recognizer, let model, !made.contains(where: { $0.hasSuffix("-\(model).srt") }) else { return }
    let console = Console.standardError
    console.show(status: "trying \(recognizer.model)")
    defer { console.show(status: "") }
    try recognizer.probe { try InterruptHandler.check() }
  }

  /// Returns the transcript of a video by this model or, without a model, the most recent one.
  /// - Parameter tell: called with a line if the transcript is made, or cannot be.
  /// - Returns: the path of its file; nil if there is none or nothing is said.
  /// - Throws: `Interruption`, and `DataError` where the file cannot be written.
  mutating func file(of video: VideoLibrary.Video, tell: (String) -> Void) throws -> String? {
    guard let mark = video.mark else { return nil }
    let known = made.last { name in
      model.map { name == "\(mark.hash)-\($0).srt" } ?? name.hasPrefix("\(mark.hash)-")
    }
    if let known { return try Self.spoken("\(folder)/\(known)") }
    guard let recognizer, let model else { return nil }
    let name = "\(mark.hash)-\(model).srt"
    let transcript: SpeechRecognizer.Transcript
    do {
      guard let found = try transcribe(video, by: recognizer) else {
        tell("\(video.name): has no sound, so nothing is transcribed")
        return nil
      }
      transcript = found
    } catch let error as DataError {
      tell("\(video.path): not transcribed: \(error)")
      return nil
    }
    try AtomicFile.write(SubtitleFile.subRip(transcript.cues), to: "\(folder)/\(name)")
    made.append(name)
    let language = transcript.language.map { ", language \($0)" } ?? ""
    tell("\(video.name): transcribed, \(transcript.cues.count) subtitles\(language)")
    return try Self.spoken("\(folder)/\(name)")
  }

  private static func spoken(_ path: String) throws -> String? { try PlainFile.size(path) > 0 ? path : nil }

  /// Transcribes the sound of a video.
  ///
  /// - Returns: nil where the video has no sound.
  private func transcribe(
    _ video: VideoLibrary.Video, by recognizer: SpeechRecognizer
  ) throws -> SpeechRecognizer.Transcript? {
    guard let sound = try VideoSound(path: video.path) else { return nil }
    try OutputFolder.make(folder)
    let console = Console.standardError
    console.show(status: "transcribing \(video.name)")
    defer { console.show(status: "") }
    let wave = "\(folder)/speech.wav"
    defer {
      unlink(wave)
      unlink("\(folder)/speech.srt")
    }
    let seconds = try sound.write(to: wave) { try InterruptHandler.check() }
    return try recognizer.transcribe(wave: wave, seconds: seconds, in: folder) {
      try InterruptHandler.check()
    }
  }
}
