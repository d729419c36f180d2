import Corpus
import Formats
import Testing

@testable import Training

/// The channels of a video that a run reads, by its task's name and by `--channels`.
@Suite struct ChannelTests {
  @Test(arguments: [
    ("tvr", VideoChannels.both), ("tvr_video_sub", .both), ("tvr_video_only", .video),
    ("tvqa_sub_only", .subtitles), ("violin_video_only", .video), ("msrvtt_video_only", .video),
    ("msrvtt_sub_only", .subtitles), ("didemo_video_sub", .both), ("tvc_sub_only", .subtitles),
  ])
  func aTaskNamesItsChannels(name: String, channels: VideoChannels) throws {
    let task = try #require(RunTask(rawValue: name))
    #expect(task.channels == channels)
    #expect(RunConfiguration(task: task).videoChannels == channels)
    #expect(task.annotation.map { name.hasPrefix($0.rawValue) } == true)
  }

  @Test(arguments: ["tvr_only", "pretrain_video_only", "_video_only", "tvr_video_only_video_only"])
  func otherEndingsAreNoTasks(name: String) { #expect(RunTask(rawValue: name) == nil) }

  @Test func theOptionChoosesAndMayNotContradictTheName() throws {
    let chosen = try RunConfiguration.load(
      file: nil, arguments: ["--task", "tvqa", "--channels", "subtitles"])
    #expect(chosen.configuration.videoChannels == .subtitles)
    let same = try RunConfiguration.load(
      file: nil, arguments: ["--task", "msrvtt_video_only", "--channels", "video"])
    #expect(same.configuration.videoChannels == .video)
    #expect(throws: DataError.self) {
      let (run, _) = try RunConfiguration.load(
        file: nil, arguments: ["--task", "tvr_sub_only", "--channels", "both"])
      _ = try TrainingRun(run, log: RunLog())
    }
    #expect(throws: UsageError.self) {
      try RunConfiguration.load(file: nil, arguments: ["--task", "tvr", "--channels", "audio"])
    }
  }
}
