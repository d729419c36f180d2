import Formats
import Foundation

/// whisper.cpp's program, which writes down what is said, run as a process of its own.
///
/// It is looked for in the folders of `HERO_WHISPER_PATH` (colons between them; each also with
/// `build/bin` and `bin`), where it may have its older names too, then in those of `PATH`.
public struct SpeechRecognizer: Sendable {
  /// The program's path.
  public let program: String
  /// The model's file.
  public let model: String
  /// Threads of the program.
  public var threads = ProcessInfo.processInfo.activeProcessorCount

  private static let names = ["whisper-cli", "whisper-cpp"]
  private static let variable = "HERO_WHISPER_PATH"
  /// How every model of whisper.cpp begins.
  private static let magic = Array("lmgg".utf8)

  /// - Parameter model: a file of whisper.cpp, such as `ggml-base.bin`.
  /// - Throws: `DataError` where the program is not installed, or the file is no such model.
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

  /// What was said.
  public struct Transcript: Sendable {
    /// In order, in seconds from the sound's beginning.
    public var cues: [SubtitleCue]
    /// As whisper.cpp abbreviates it; nil where it does not say.
    public var language: String?
  }

  /// Seconds that the program may take: for any sound, and for each second of it. The largest model
  /// on a slow processor takes less.
  private static let patience = (fixed: 600.0, share: 60.0)

  /// Writes down what is said in a sound.
  /// - Parameters:
  ///   - wave: a WAV file, see `VideoSound`.
  ///   - seconds: its length.
  ///   - folder: for what the program writes.
  ///   - check: is called often; what it throws ends the program and the work.
  /// - Throws: `DataError` where the program fails, takes far too long or writes no subtitles.
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
      // With what it has started, where it leads a group; waiting would be for that too.
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

  /// Tries program and model on a second of silence, so that a model whose download was cut off is
  /// refused before hours of work, not told at each video.
  /// - Parameter check: is called often; what it throws ends the program.
  /// - Throws: `DataError` where the program fails.
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

  /// Noises and silences come in brackets: `[BLANK_AUDIO]`, `(music)`.
  private static func isNoise(_ cue: SubtitleCue) -> Bool {
    let text = cue.text.trimmingCharacters(in: .whitespaces)
    return [("[", "]"), ("(", ")"), ("*", "*")].contains { text.hasPrefix($0.0) && text.hasSuffix($0.1) }
      && !text.dropFirst().dropLast().contains { "[]()*".contains($0) }
  }

  /// The last 64 kB of what the program said.
  private static func end(of log: String) -> String {
    let (size, most) = ((try? PlainFile.size(log)) ?? 0, 1 << 16)
    return String(decoding: bytes(of: log, from: max(0, size - most), count: most), as: UTF8.self)
  }

  /// A part of a file, as far as it can be read.
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
