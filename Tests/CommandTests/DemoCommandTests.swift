import Formats
import Foundation
import TestSupport
import Testing

/// `hero demo` at its shortest: it must print its tables, not learn anything.
@Suite(.ownThreads) struct DemoCommandTests {
  @Test(.timeLimit(.minutes(30))) func everyTaskRunsToItsFigures() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file(
      "bands.json", #"{"tvr: video, R@1, %": [0, 100], "tvc: captions, CIDEr": [500, 600], "other": [0, 1]}"#)
    let run = try HeroProcess(
      arguments: [
        "demo", "--output", "demo", "--videos", "20", "--updates", "2", "--tasks", "tvr", "pretrain", "tvc",
        "tvqa",
        "violin", "msrvtt_video_only", "vlep", "yc2c", "--figures", "figures.json", "--compare", "bands.json",
      ], folder: folder.root)
    // One band holds any figure, and the other is out of reach so soon.
    #expect(run.status == 1, "\(run.errors)")
    #expect(run.errors.contains("outside its band: tvc: captions, CIDEr. Find"))
    let figures = try JSON.read(path: folder.path("figures.json"))
    #expect(
      figures["tvr: video, R@1, %"]?.double != nil && figures["few labels: video, R@5, %"]?.double != nil)
    for row in [
      "moment among all videos, R@1", "moment in its video, R@1", "captions, Bleu_4", "questions answered, %",
      "statements judged, %", "random start", "pre-trained",
      "msrvtt_video_only: video, R@1", "vlep: questions answered", "yc2c: captions, CIDEr",
    ] {
      #expect(run.output.contains(row), "\(row)")
    }
    // Every command is shown before it runs.
    for command in ["create-txtdb", "convert-videodb", "finetune", "pretrain", "eval", "caption"] {
      #expect(run.errors.contains("$ hero \(command) "), "\(command)")
    }
    // The videos can be watched beside the search results.
    #expect(run.output.contains("hero serve --index demo/tvr.index"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("demo/videos")).count == 24)
    let found = try HeroProcess(
      arguments: ["search", "--index", "demo/tvr.index", "--m3u", "a man"], folder: folder.root)
    #expect(found.status == 0 && found.output.contains("demo/videos/demo_s01e01"), "\(found.errors)")
    let again = try HeroProcess(arguments: ["demo", "--output", "demo"], folder: folder.root)
    #expect(
      again.status == 1 && again.errors.contains("demo/") && again.errors.contains("exists already"),
      "\(again.errors)")
  }
}
