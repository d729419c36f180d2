import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

/// Sound in the form that speech recognizers take.
@Suite struct VideoSoundTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func samples(_ path: String) throws -> [Int16] {
    let bytes = try FileBytes.read(path: path)
    #expect(Array(bytes.prefix(4)) == Array("RIFF".utf8) && Array(bytes[36..<40]) == Array("data".utf8))
    let count = bytes[40..<44].reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(count == bytes.count - 44)
    return stride(from: 44, to: bytes.count - 1, by: 2).map {
      Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
    }
  }

  private func loudness(_ samples: ArraySlice<Int16>) -> Double {
    samples.isEmpty ? 0 : samples.reduce(0.0) { $0 + abs(Double($1)) } / Double(samples.count)
  }

  /// Sound of 8 bits at 8,000 Hz becomes 16 bits at 16,000 Hz.
  @Test(arguments: [("sound.mkv", 1.0), ("late.mkv", 3)]) func soundIsResampled(name: String, seconds: Double)
    throws
  {
    let sound = try #require(try VideoSound(path: Fixtures.path("Vision/\(name)")))
    let wave = folder.path("a.wav")
    let length = try sound.write(to: wave)
    let samples = try samples(wave)
    #expect(abs(length - seconds) < 0.02 && abs(Double(samples.count) / 16_000 - seconds) < 0.02)
    #expect(loudness(samples[...]) > 1000)
    // A tone of 440 Hz passes zero 880 times a second.
    let crossings = zip(samples, samples.dropFirst()).count { ($0 < 0) != ($1 < 0) }
    #expect(abs(Double(crossings) / seconds - 880) < 10)
  }

  @Test func whatHasNoSoundIsTold() throws {
    #expect(try VideoSound(path: Fixtures.path("Vision/plain.mp4")) == nil)
    #expect(throws: DataError.self) { try VideoSound(path: folder.path("none.mp4")) }
    #expect(throws: DataError.self) { try VideoSound(path: try folder.file("a.mp4", "nothing")) }
  }

  @Test func anInterruptionLeavesNoFile() throws {
    struct Stop: Error {}
    let sound = try #require(try VideoSound(path: Fixtures.path("Vision/sound.mkv")))
    #expect(throws: Stop.self) { try sound.write(to: folder.path("a.wav")) { throw Stop() } }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root).isEmpty)
  }
}

/// The speech recognizer, with a script in place of whisper.cpp's program.
@Suite struct SpeechRecognizerTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func install(_ script: String, as path: String) throws {
    let file = try folder.file(path, "#!/bin/sh\n\(script)\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
  }

  private func recognizer(_ environment: [String: String]) throws -> SpeechRecognizer {
    try SpeechRecognizer(model: try folder.file("model.bin", "lmgg"), environment: environment)
  }

  /// `HERO_WHISPER_PATH` comes before `PATH`, and only there `main` is taken for whisper.cpp's.
  @Test func theProgramIsLookedFor() throws {
    let path = ["PATH": folder.path("path")]
    try install("exit 1", as: "path/main")
    #expect(throws: DataError.self) { try recognizer(path) }
    try install("exit 1", as: "path/whisper-cpp")
    #expect(try recognizer(path).program == folder.path("path/whisper-cpp"))
    _ = try folder.file("own/build/bin/whisper-cli", "is not to be run")
    let both = path.merging(["HERO_WHISPER_PATH": "/nowhere:" + folder.path("own")]) { $1 }
    #expect(try recognizer(both).program == folder.path("path/whisper-cpp"))
    try install("exit 1", as: "own/build/bin/main")
    #expect(try recognizer(both).program == folder.path("own/build/bin/main"))
  }

  /// An interruption ends the program and the processes that it has started.
  @Test(.timeLimit(.minutes(30))) func anInterruptionEndsTheProgram() throws {
    struct Stop: Error {}
    try install("sleep 3600; exit 0", as: "bin/whisper-cli")
    let recognizer = try recognizer(["HERO_WHISPER_PATH": folder.path("bin")])
    var asked = 0
    #expect(throws: Stop.self) {
      try recognizer.transcribe(wave: folder.path("a.wav"), seconds: 1, in: folder.root) {
        asked += 1
        if asked > 5 { throw Stop() }
      }
    }
  }
}
