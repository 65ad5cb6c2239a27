using System.Diagnostics;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Testing;

namespace Gradus.Bench;

/// <summary>The generation engine under ten thousand requests in a random schedule, each compared with itself alone.</summary>
internal static class ScheduleBench
{
    public static void Run(int requests)
    {
        (string Name, ModelConfig Config)[] models =
        [
            ("llama", new LlamaConfig(101, HiddenSize: 48, IntermediateSize: 80, NumHiddenLayers: 2, NumAttentionHeads: 6, NumKeyValueHeads: 2, MaxPositionEmbeddings: 400, InitializerRange: 0.3f)),
            ("gemma2", new Gemma2Config(101, 48, 80, 2, 4, NumKeyValueHeads: 2, HeadDim: 16, MaxPositionEmbeddings: 400, SlidingWindow: 70, InitializerRange: 0.3f)),
        ];
        foreach ((string name, ModelConfig config) in models)
        {
            using GenerativeModel model = (GenerativeModel)Architectures.Build(config, new Scope(ParameterSource.Random(1), new Workspace(CpuDevice.Default)));
            Stopwatch watch = Stopwatch.StartNew();
            ScheduleReport report = RandomSchedule.Run(model, requests, seed: 1, pages: 40, longest: 300);
            Console.WriteLine(
                $"{name}: {requests} requests, every output as alone, no page left; {report.Steps} steps, {report.Cancelled} cancelled, {report.Preemptions} preemptions, "
                + $"{report.CachedTokens} tokens of prompts not read again, {report.LoadedPages} pages taken over at the restart, {report.RightGuesses} guesses right and {report.WrongGuesses} wrong; {watch.Elapsed.TotalSeconds:F0} s");
        }
    }
}
