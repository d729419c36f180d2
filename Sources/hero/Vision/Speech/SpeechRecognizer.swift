import Formats
import Foundation

/// whisper.cpp's program, which transcribes speech in a process of its own.
///
/// It is the first one found in the folders of `HERO_WHISPER_PATH`, then of `PATH`. Colons separate
/// the folders. Of the former, `build/bin` and `bin` in them count too, and the old program name
/// `main`.
public struct SpeechRecognizer: Sendable {
  /// The path of the program.
  public let program: String
  /// The path of the model.
  public let model: String
  /// The number of threads that the program uses.
  public var threads = ProcessInfo.processInfo.activeProcessorCount

  private static let names = ["whisper-cli", "whisper-cpp"]
  private static let variable = "HERO_WHISPER_PATH"
  /// The first bytes of every whisper.cpp model.
  private static let magic = Array("lmgg".utf8)

  /// - Parameter model: a whisper.cpp model, such as `ggml-base.bin`.
  /// - Throws: `DataError` if the program is not installed, or the file is not such a model.
  public init(
    model: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    try PlainFile.size(model)
    guard Self.bytes(of: model, from: 0, count: Self.magic.count) == Self.magic else {
      throw DataError(
        "is no model of whisper.cpp", file: model, cure: "Give one in its own format, such as ggml-base.bin")
    }
    self.model = URL(fileURLWithPath: model).standardizedFileURL.path
    func folders(_ name: String) -> [String] {
      (environment[name] ?? "").split(separator: ":").map(String.init)
    }
    let own = folders(Self.variable).flatMap { [$0, "\($0)/build/bin", "\($0)/bin"] }
    let candidates =
      own.flatMap { folder in (Self.names + ["main"]).map { "\(folder)/\($0)" } }
      + folders("PATH").flatMap { folder in Self.names.map { "\(folder)/\($0)" } }
    guard let program = candidates.first(where: Self.isProgram) else {
      throw DataError(
        "whisper.cpp's program (\(Self.names.joined(separator: ", "))) is not installed",
        cure: "Install whisper.cpp, or name its folder in \(Self.variable)")
    }
    self.program = URL(fileURLWithPath: program).standardizedFileURL.path
  }

  private static func isProgram(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }

  /// The text of a sound.
  public struct Transcript: Sendable {
    /// The cues in order, in seconds from the sound's beginning.
    public var cues: [SubtitleCue]
    /// whisper.cpp's code of the language; nil if it states none.
    public var language: String?
  }

  /// The time limit in seconds: a fixed part, and a part for each second of sound. Even the largest
  /// model on a slow processor takes less.
  private static let patience = (fixed: 600.0, share: 60.0)

  /// Transcribes a sound.
  ///
  /// - Parameters:
  ///   - wave: a WAV file, see `VideoSound`.
  ///   - seconds: the sound's length.
  ///   - folder: the folder for the program's output.
  ///   - check: is called often; an error that it throws ends the program and the work.
  /// - Throws: `DataError` if the program fails, exceeds the time limit or writes no subtitles.
  public func transcribe(
    wave: String, seconds: Double, in folder: String, check: () throws -> Void
  ) throws -> Transcript {
    let (base, log) = ("\(folder)/speech", "\(folder)/speech.log")
    unlink("\(base).srt")
    guard FileManager.default.createFile(atPath: log, contents: nil),
      let output = FileHandle(forWritingAtPath: log)
    else { throw DataError.system("write", file: log) }
    defer { unlink(log) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-m", model, "-f", wave, "-l", "auto", "-t", "\(threads)", "-osrt", "-of", base]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = output
    do { try process.run() } catch {
      throw DataError("cannot be started: \(error.localizedDescription)", file: program)
    }
    let limit = Self.patience.fixed + Self.patience.share * seconds
    let begin = ContinuousClock.now
    do {
      while process.isRunning {
        usleep(20_000)
        try check()
        guard ContinuousClock.now - begin < .seconds(limit) else {
          throw DataError(
            "took more than \(Int(limit)) s for \(Int(seconds)) s of sound and was ended", file: program,
            cure: "Give a smaller model")
        }
      }
    } catch {
      // If the program leads a process group, kill the whole group. Do not wait: that would wait
      // for the group too.
      let own = process.processIdentifier
      kill(getpgid(own) == own ? -own : own, SIGKILL)
      throw error
    }
    let said = Self.end(of: log)
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      let how = process.terminationReason == .exit ? "ended with status" : "was ended by signal"
      let last = said.split(whereSeparator: \.isNewline).last.map { ": \($0)" } ?? ""
      throw DataError("\(how) \(process.terminationStatus)\(last)", file: program)
    }
    guard FileManager.default.fileExists(atPath: "\(base).srt") else {
      throw DataError(
        "wrote no subtitles", file: program, cure: "Give whisper.cpp's own program, whisper-cli")
    }
    let cues = try SubtitleFile.read(path: "\(base).srt").filter { !Self.isNoise($0) }
    return Transcript(cues: cues, language: Self.language(in: said))
  }

  /// Tries the program and the model on a second of silence.
  ///
  /// A truncated model thus fails before hours of work, not at each video.
  ///
  /// - Parameter check: is called often; an error that it throws ends the program.
  /// - Throws: `DataError` if the program fails.
  public func probe(check: () throws -> Void) throws {
    var template = Array((NSTemporaryDirectory() + "/hero-speech-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw DataError.system("write", file: NSTemporaryDirectory()) }
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let wave = "\(folder)/silence.wav"
    try AtomicFile.write(VideoSound.silence(seconds: 1), to: wave)
    do {
      _ = try transcribe(wave: wave, seconds: 1, in: folder, check: check)
    } catch let error as DataError {
      throw DataError(
        "nothing can be transcribed with it: \(error.sentence)", file: model,
        cure: "Download the model again if it is not whole, or give another")
    }
  }

  /// Returns whether a cue is in brackets, as noises and silences are: `[BLANK_AUDIO]`, `(music)`.
  private static func isNoise(_ cue: SubtitleCue) -> Bool {
    let text = cue.text.trimmingCharacters(in: .whitespaces)
    return [("[", "]"), ("(", ")"), ("*", "*")].contains { text.hasPrefix($0.0) && text.hasSuffix($0.1) }
      && !text.dropFirst().dropLast().contains { "[]()*".contains($0) }
  }

  /// Returns the last 64 kB of the program's log.
  private static func end(of log: String) -> String {
    let (size, most) = ((try? PlainFile.size(log)) ?? 0, 1 << 16)
    return String(decoding: bytes(of: log, from: max(0, size - most), count: most), as: UTF8.self)
  }

  /// Returns a part of a file, as far as it can be read.
  private static func bytes(of path: String, from place: Int, count: Int) -> [UInt8] {
    guard let file = FileHandle(forReadingAtPath: path), (try? file.seek(toOffset: UInt64(place))) != nil
    else {
      return []
    }
    return (try? file.read(upToCount: count)).map { Array($0) } ?? []
  }

  private static func language(in said: String) -> String? {
    said.firstMatch(of: /auto-detected language: ([a-z]{2,3})\b/).map { String($0.1) }
  }
}
