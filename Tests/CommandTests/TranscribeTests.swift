import Formats
import Foundation
import TestSupport
import Testing

@testable import Search

/// `hero index --videos --transcribe`, with a script in place of whisper.cpp.
@Suite("Subtitles by a recogniser of speech", .ownThreads)
struct TranscribeTests {
  private let own: OwnVideoIndex

  init() throws {
    own = try OwnVideoIndex()
    _ = try own.folder.file("model.bin", "lmgg and more")
    try own.add("late.mkv", as: "spoken.mkv", mark: "1")
    try own.add("plain.mp4", as: "silent.mp4", mark: "2")
    try own.add("late.mkv", as: "subtitled.mkv", mark: "3")
    _ = try own.folder.file("v/subtitled.srt", "1\n00:00:00,500 --> 00:00:01,500\nbeside\n")
    try own.add("subtitles.mkv", as: "inside.mkv", mark: "4")
  }

  private var model: String { own.folder.path("model.bin") }
  private var calls: [String] {
    let log = (try? String(contentsOfFile: own.folder.path("calls"), encoding: .utf8)) ?? ""
    return log.split(separator: "\n").map(String.init)
  }

  /// Installs a script as the program, and returns the environment that names its folder.
  private func install(_ script: String, as name: String = "whisper-cli") throws -> [String: String] {
    let path = try own.folder.file(
      "bin/\(name)", "#!/bin/sh\necho \"$*\" >> '\(own.folder.path("calls"))'\n\(script)\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return ["HERO_WHISPER_PATH": own.folder.path("bin")]
  }

  /// Returns a script that takes whisper.cpp's options and writes one subtitle to the file of
  /// `-of`.
  private func speaking(_ said: String) -> String {
    """
    while [ $# -gt 0 ]; do case $1 in -of) of=$2;; -f) f=$2;; esac; shift; done
    [ "$(head -c 4 "$f")" = RIFF ] || exit 9
    echo "whisper_full_with_state: auto-detected language: de (p = 0.9)" >&2
    printf '1\\n00:00:00,200 --> 00:00:01,400\\n \(said)\\n\\n2\\n00:00:01,500 --> 00:00:02,000\\n [BLANK_AUDIO]\\n\\n' > "$of.srt"
    """
  }

  @Test func videosWithoutSubtitlesGetThem() throws {
    let environment = try install(speaking("guten Tag"))
    let made = try own.run("--transcribe", model, environment: environment)
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("spoken: transcribed, 1 subtitles, language de"))
    #expect(made.errors.contains("silent: has no sound"))
    #expect(try own.said("spoken") == ["guten Tag"] && own.said("silent") == [])
    #expect(try own.said("subtitled") == ["beside"] && own.said("inside")?.isEmpty == false)
    #expect(calls.count == 2 && calls[1].contains("-l auto") && calls[1].contains("-m \(model) "))
    #expect(calls[0].contains("silence.wav"))

    // Subtitles are made once, follow a renamed file, and stay without the flag.
    try FileManager.default.moveItem(
      atPath: own.folder.path("v/spoken.mkv"), toPath: own.folder.path("v/renamed.mkv"))
    #expect(try own.run("--transcribe", model, environment: environment).status == 0)
    #expect(try own.said("renamed") == ["guten Tag"])
    #expect(try own.run().status == 0)
    #expect(try own.said("renamed") == ["guten Tag"] && calls.count == 2)
    // Another model makes new subtitles, and so does a replaced file.
    let other = try own.folder.file("better.bin", "lmgg, better")
    let better = try install(speaking("guten Abend"))
    #expect(try own.run("--transcribe", other, environment: better).status == 0)
    #expect(try own.said("renamed") == ["guten Abend"] && calls.count == 4)
    try own.add("late.mkv", as: "renamed.mkv", mark: "new")
    #expect(try own.run("--transcribe", other, environment: better).status == 0)
    #expect(calls.count == 5)
    // A subtitle file beside the video takes precedence.
    _ = try own.folder.file("v/renamed.srt", "1\n00:00:00,500 --> 00:00:01,500\nchosen\n")
    #expect(try own.run("--transcribe", other, environment: better).status == 0)
    #expect(try own.said("renamed") == ["chosen"] && calls.count == 5)
  }

  @Test(arguments: [
    ("echo 'error: no memory' >&2; exit 3", "status 3: error: no memory"), ("kill -9 $$", "signal 9"),
    ("exit 0", "wrote no subtitles"),
  ]) func aFailureIsOneLine(script: String, reason: String) throws {
    // A model that fails on the test sound is refused.
    let refused = try own.run("--transcribe", model, environment: try install(script, as: "main"))
    #expect(refused.status == 1 && refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
    #expect(refused.errors.contains(reason) && refused.errors.contains(model))
    #expect(!FileManager.default.fileExists(atPath: own.index + ".work"))
    let script = "case \"$*\" in *silence.wav*) ;; *) \(script);; esac\n" + speaking("nothing")
    let made = try own.run("--transcribe", model, environment: try install(script, as: "main"))
    #expect(made.status == 0, "\(made.errors)")
    let told = made.errors.split(separator: "\n").filter { $0.contains("not transcribed") }
    #expect(
      told.count == 1 && told.first?.contains(reason) == true && told.first?.contains("spoken.mkv") == true)
    #expect(try own.videos().count == 4 && own.said("spoken") == [])
    // The next run tries again.
    #expect(try own.run("--transcribe", model, environment: try install(speaking("now"))).status == 0)
    #expect(try own.said("spoken") == ["now"])
  }

  @Test func whatIsMissingIsToldBeforeWorkBegins() throws {
    let nowhere = ["HERO_WHISPER_PATH": "/nowhere", "PATH": "/usr/bin:/bin"]
    let program = try own.run("--transcribe", model, environment: nowhere)
    #expect(program.status == 1 && program.errors.split(separator: "\n").count == 1)
    #expect(program.errors.contains("HERO_WHISPER_PATH"))
    let environment = try install(speaking("x"))
    let none = try own.run("--transcribe", own.folder.path("none.bin"), environment: environment)
    #expect(none.status == 1 && none.errors.contains("none.bin"))
    let other = try own.folder.file("other.bin", "GGUF")
    let wrong = try own.run("--transcribe", other, environment: environment)
    #expect(wrong.status == 1 && wrong.errors.contains("no model of whisper.cpp"))
    #expect(calls.isEmpty && !FileManager.default.fileExists(atPath: own.index + ".work"))
  }
}
