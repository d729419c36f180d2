import Demo
import Formats
import Foundation
import Synchronization
import Training
import Vision

extension DemoCommand {
  /// Draws the videos, and prints how to search and watch them.
  func showVideos(_ corpus: DemoCorpus) throws {
    do {
      try drawVideos(corpus)
    } catch let error as DataError {
      // The page shows moments even without videos.
      Console.standardError.print("the videos are not drawn: \(error)")
    }
    try index()
  }

  private func drawVideos(_ corpus: DemoCorpus) throws {
    let folder = try OutputFolder(path: "\(output)/videos")
    let (path, videos) = (folder.partial, corpus.drawnVideos)
    let failure = Mutex<(any Error)?>(nil)
    let progress = ProgressReporter("Drawing", total: videos.count, unit: "videos")
    DispatchQueue.concurrentPerform(iterations: videos.count) { number in
      guard failure.withLock({ $0 == nil }), !InterruptHandler.isInterrupted else { return }
      do {
        try Self.draw(videos[number], to: "\(path)/\(videos[number].name).mp4")
      } catch {
        failure.withLock { $0 = error }
      }
      progress.advance()
    }
    try InterruptHandler.check()
    if let error = failure.withLock({ $0 }) { throw error }
    progress.finish()
    try folder.commit(synchronizing: false)
  }

  private static func draw(_ video: DrawnVideo, to path: String) throws {
    let writer = try VideoWriter(
      path: path, width: DrawnVideo.width, height: DrawnVideo.height, frameRate: DrawnVideo.frameRate)
    for number in 0..<max(1, Int(video.duration * Double(DrawnVideo.frameRate))) {
      try writer.write(video.picture(at: Double(number) / Double(DrawnVideo.frameRate)))
    }
    try writer.finish()
  }

  /// Indexes all videos with the model of TVR, and prints how to search them.
  private func index() throws {
    let (index, videos) = ("\(output)/tvr.index", "\(output)/videos")
    try hero(
      [
        "index", "--model-dir", "\(output)/runs/tvr", "--checkpoint", "latest", "--vfeat-db",
        "\(output)/video_db/tv", "--sub-txt-db", "\(output)/txt_db/tv_subtitles.db", "--output", index,
      ] + (FileManager.default.fileExists(atPath: videos) ? ["--video-files", videos] : [])
        + device.arguments)
    print(
      """
      To search the videos and watch what is found:

        \(ShellWords.line(["hero", "serve", "--index", index, "--annotations", "\(output)/corpus/ann/tvr_test.jsonl"]))

      and open http://127.0.0.1:8080/, for example with "\(try firstQuery())"
      """)
  }

  private func firstQuery() throws -> String {
    try JSON.parse(
      String(
        try String(contentsOfFile: "\(output)/corpus/ann/tvr_test.jsonl", encoding: .utf8).prefix {
          $0 != "\n"
        }
      ))["desc"]?.string ?? ""
  }
}
