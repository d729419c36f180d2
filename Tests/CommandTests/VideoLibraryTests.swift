import Formats
import Foundation
import Search
import TestSupport
import Testing

@testable import hero

@Suite("A folder of videos beside what was made of it")
struct VideoLibraryTests {
  private let folder: TemporaryFolder
  private let work: IndexWork

  init() throws {
    folder = try TemporaryFolder()
    work = IndexWork(index: folder.path("x.index"))
  }

  private func library(_ name: String = "v") throws -> VideoLibrary {
    try VideoLibrary(folder: folder.path(name), work: work, networks: ["a", "b"])
  }

  private func makeFeatures(_ names: [String]) throws {
    for name in names {
      for network in ["a", "b"] {
        _ = try folder.file("x.index.work/features/\(network)_features/\(name).npz", "\(network) of \(name)")
      }
    }
  }

  private func feature(_ name: String, _ network: String = "a") -> String? {
    try? String(
      contentsOfFile: folder.path("x.index.work/features/\(network)_features/\(name).npz"), encoding: .utf8)
  }

  @Test func featuresFollowTheirFiles() throws {
    for name in ["one", "two", "three"] { _ = try folder.file("v/\(name).mp4", "this is \(name)") }
    #expect(try library().bringFeaturesUpToDate(with: [:]).isEmpty)
    try makeFeatures(["one", "two", "three"])
    _ = try folder.file("x.index.work/video_db/own/data.mdb", "")
    #expect(try library().bringFeaturesUpToDate(with: [:]).isEmpty)
    // One file is touched, one is replaced by as many bytes, and one is renamed.
    try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: folder.path("v/one.mp4"))
    _ = try folder.file("v/two.mp4", "this is TWO")
    try FileManager.default.moveItem(atPath: folder.path("v/three.mp4"), toPath: folder.path("v/four.mp4"))
    #expect(try library().bringFeaturesUpToDate(with: [:]) == ["two"])
    #expect(feature("one") == "a of one" && feature("two") == nil && feature("two", "b") == nil)
    #expect(feature("four") == "a of three" && feature("four", "b") == "b of three")
    #expect(!FileManager.default.fileExists(atPath: work.videoStores))
    #expect(try library().bringFeaturesUpToDate(with: [:]).isEmpty)
  }

  /// Features without recorded marks are stale if their file's size changed or it is newer than
  /// they.
  @Test func featuresWithoutMarks() throws {
    let past = Date(timeIntervalSince1970: 1e9)
    for name in ["same", "other", "newer"] { _ = try folder.file("v/\(name).mp4", name) }
    try makeFeatures(["same", "other", "newer"])
    for name in ["same", "other"] {
      try FileManager.default.setAttributes(
        [.modificationDate: past], ofItemAtPath: folder.path("v/\(name).mp4"))
    }
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: 100)], ofItemAtPath: folder.path("v/newer.mp4"))
    let index: [Name: IndexedVideo.MediaFile] = [
      "same": .init(path: "/s", size: 4), "other": .init(path: "/o", size: 4),
    ]
    #expect(try library().bringFeaturesUpToDate(with: index).sorted() == ["newer", "other"])
  }

  /// A file missing from an existing folder was deleted; a missing folder may just not be mounted.
  @Test func whatIsGone() throws {
    let there = try folder.file("v/there.mp4", "")
    let folders: Set<String> = [folder.path("v")]
    func video(_ path: String) -> IndexedVideo {
      IndexedVideo(name: "a", duration: 1, frames: 1, sentences: [], file: .init(path: path, size: 0))
    }
    let cases = [
      (there, false, false), (folder.path("v/gone.mp4"), true, true),
      (folder.path("w/gone.mp4"), false, true),
    ]
    for (path, isGone, isRemoved) in cases {
      #expect(VideoLibrary.isGone(video(path), folders: folders, removes: false) == isGone)
      #expect(VideoLibrary.isGone(video(path), folders: folders, removes: true) == isRemoved)
    }
    let unknown = IndexedVideo(name: "a", duration: 1, frames: 1, sentences: [])
    #expect(!VideoLibrary.isGone(unknown, folders: folders, removes: true))
  }

  /// A video of a second folder with the name of an indexed one is reported, not taken for its new
  /// version.
  @Test func namesakes() throws {
    let other = try folder.file("v/clip.mp4", "one")
    _ = try folder.file("w/clip.mp4", "another")
    _ = try folder.file("w/more.mp4", "more")
    var library = try library("w")
    let lines = library.leaveOutNamesakes(in: ["clip": try .init(path: other)])
    #expect(lines.count == 1 && lines[0].contains(other) && library.videos.map(\.name) == ["more"])
    // The same file in another folder has moved.
    _ = try folder.file("w/clip.mp4", "one")
    var moved = try self.library("w")
    #expect(moved.leaveOutNamesakes(in: ["clip": try .init(path: other)]).isEmpty && moved.videos.count == 2)
  }
}
