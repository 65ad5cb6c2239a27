// Opening and converting a model of about 2 GB. Memory is what the process adds to its own pages (RssAnon of /proc/self/status); pages of mapped
// files belong to the system and come and go.

using System.Diagnostics;
using System.Globalization;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>Measures how a large checkpoint is opened and converted.</summary>
internal static class ConversionBench
{
    private static readonly LlamaConfig Config = new(
        VocabSize: 32000, HiddenSize: 2048, IntermediateSize: 5632, NumHiddenLayers: 18, NumAttentionHeads: 32, NumKeyValueHeads: 8, MaxPositionEmbeddings: 2048);

    /// <summary>Measures, and prints a line for each conversion.</summary>
    /// <param name="output">Where to.</param>
    public static void Run(TextWriter output)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("gradus-bench-");
        try
        {
            string hf = Path.Combine(folder.FullName, "hf"), gguf = Path.Combine(folder.FullName, "model.gguf");
            using (LanguageModel model = Checkpoint.Create(Config, seed: 1, CpuDevice.Default))
            using (AtomicFolder target = AtomicFolder.Begin(hf))
            {
                Checkpoint.Write(target, model, DType.BF16);
                target.Commit();
                output.WriteLine($"a model of {model.ParameterCount:N0} parameters, {new FileInfo(Path.Combine(hf, Checkpoint.WeightsFile)).Length / 1e9:0.00} GB in bf16");
            }
            GC.Collect();
            double largest = (double)Config.VocabSize * Config.HiddenSize * sizeof(float) / 1e6;
            FirstTokenBench.Measure(output, "safetensors, bf16", hf);
            foreach (string type in new[] { "bf16", "q8_0", "q4_0", "q6_k", "q4_k" })
            {
                Convert(output, hf, gguf, type, largest);
                FirstTokenBench.Measure(output, $"GGUF, {type}", gguf);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Convert(TextWriter output, string from, string to, string type, double largest)
    {
        long before = OwnBytes(), peak = before;
        using CancellationTokenSource done = new();
        Task watch = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                peak = Math.Max(peak, OwnBytes());
                Thread.Sleep(2);
            }
        });
        Stopwatch watchTime = Stopwatch.StartNew();
        using (GgufExport export = GgufExport.Plan(Checkpoint.ReadObject(Path.Combine(from, Checkpoint.ConfigFile)), TensorFile.Open(from), null, new GgufExportOptions(GgufStorage.Get(type))))
        using (FileStream stream = File.Create(to))
            export.Write(stream);
        double seconds = watchTime.Elapsed.TotalSeconds;
        done.Cancel();
        watch.Wait();
        double read = new FileInfo(Path.Combine(from, Checkpoint.WeightsFile)).Length / 1e6, written = new FileInfo(to).Length / 1e6;
        output.WriteLine($"to GGUF {type,-5} {seconds,6:0.0} s  {read / seconds,6:N0} MB/s read  {written / seconds,6:N0} MB/s written  {(peak - before) / 1e6,6:N0} MB at most (largest tensor in F32: {largest:N0} MB)");
    }

    /// <summary>Bytes of the process's own memory, files apart.</summary>
    public static long OwnBytes()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("RssAnon", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(8).Trim(" \tkB"), CultureInfo.InvariantCulture) * 1024;
    }
}
