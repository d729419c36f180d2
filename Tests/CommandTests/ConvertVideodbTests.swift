import Formats
import Foundation
import TestSupport
import Testing

@Suite(.ownThreads) struct ConvertVideodbTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test
  func theStoreHasTheReferencesNameAndVideos() throws {
    let golden = SharedData.golden
    let run = try HeroProcess(
      "convert-videodb", "--feature_dir", golden.appendingPathComponent("corpus/features").path, "--output",
      folder.root, "--dataset", "tv", "--frame_length", "1.5", "--nproc", "2")
    #expect(run.status == 0, "\(run.errors)")
    let store = golden.appendingPathComponent("db/video_db/tv/resnet_slowfast_1.5").path
    let expected = try LMDBReader(path: store).count
    #expect(try LMDBReader(path: folder.path("tv/resnet_slowfast_1.5")).count == expected)
    #expect(run.output.contains("\(expected) entries"))
  }

  @Test(arguments: [
    [], ["--feature-dir", "a", "--vfeat-info-file", "b"], ["--feature-dir", "a", "--nproc", "0"],
  ])
  func wrongCommandLinesExitWithTwo(more: [String]) throws {
    let run = try HeroProcess(
      arguments: ["convert-videodb", "--output", folder.root, "--dataset", "tv", "--frame-length", "1.5"]
        + more)
    #expect(run.status == 2, "\(run.errors)")
  }

  @Test func aMissingFolderIsNamed() throws {
    let run = try HeroProcess(
      "convert-videodb", "--feature-dir", folder.path("none"), "--output", folder.path("db"), "--dataset",
      "tv",
      "--frame-length", "2")
    #expect(run.status == 1)
    #expect(run.errors.contains(folder.path("none")))
    #expect(!FileManager.default.fileExists(atPath: folder.path("db/tv/resnet_slowfast_2.0")))
  }
}
