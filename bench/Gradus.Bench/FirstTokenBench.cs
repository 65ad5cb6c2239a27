// How long a program needs from its start to a model's first token, and how much of that is not the page-in of the weights. Each measurement is
// a process of its own: start-up and the compilation of code are part of it. Page-in is what another process needs to touch every page
// of the mapped files in the same state of the system's cache, warm or dropped.

using System.Diagnostics;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>Measures the way from the start of a process to a model's first token.</summary>
internal static partial class FirstTokenBench
{
    private const int DontNeed = 4;
    private const int Page = 4096;
    private const int MoreTokens = 16;

    /// <summary>Measures a model with a warm cache and, where the system can drop a file from its cache, with a cold one.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="name">What to call it.</param>
    /// <param name="path">A folder in the Hugging Face layout, or a GGUF file.</param>
    public static void Measure(TextWriter output, string name, string path)
    {
        double gigabytes = Files(path).Sum(f => new FileInfo(f).Length) / 1e9;
        Report(output, name, path, gigabytes, "warm");
        if (OperatingSystem.IsLinux() && Files(path).All(Drop))
            Report(output, name, path, gigabytes, "cold");
    }

    /// <summary>What a measuring process does: <c>page-in PATH</c> or <c>first-token PATH</c>.</summary>
    /// <returns>The exit code.</returns>
    public static int Child(string verb, string path)
    {
        Console.WriteLine(verb == "page-in" ? Number(PageIn(path)) : FirstToken(path));
        return 0;
    }

    private static void Report(TextWriter output, string name, string path, double gigabytes, string cache)
    {
        bool cold = cache == "cold";
        double pageIn = double.PositiveInfinity, total = double.PositiveInfinity;
        string[] first = [];
        for (int run = 0; run < (cold ? 1 : 3); run++)
        {
            pageIn = Math.Min(pageIn, Parse(Spawn("page-in", path)[0]));
            if (cold)
                Array.ForEach(Files(path), f => Drop(f));
            string[] child = Spawn("first-token", path);
            if (Parse(child[0]) < total)
                (total, first) = (Parse(child[0]), child);
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-18} {gigabytes:0.00} GB, {cache}: first token after {total:0.00} s, {total - pageIn:0.00} s beyond page-in (goal: 1 s for 2 GB); {first[1]} s of processor time, Main after {first[2]} s, loaded after {first[3]} s, {first[4]} MB own memory, then {first[5]} tokens/s"));
    }

    private static string FirstToken(string path)
    {
        DateTime start = Process.GetCurrentProcess().StartTime;
        double begun = (DateTime.Now - start).TotalSeconds;
        using LanguageModel model = Checkpoint.Load(path, CpuDevice.Default, keepStoredType: true, keepPacked: true);
        double loaded = (DateTime.Now - start).TotalSeconds;
        using Generator generator = new((GenerativeModel)model);
        generator.Add(new GenerationRequest([1, 2, 3]) { MaxNewTokens = 1 + MoreTokens });
        generator.Step();
        double first = (DateTime.Now - start).TotalSeconds;
        double work = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;
        long own = ConversionBench.OwnBytes();
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 0; i < MoreTokens; i++)
            generator.Step();
        return string.Join(' ', Number(first), Number(work), Number(begun), Number(loaded), (own / 1_000_000).ToString(CultureInfo.InvariantCulture), Number(MoreTokens / watch.Elapsed.TotalSeconds));
    }

    private static double PageIn(string path)
    {
        Stopwatch watch = Stopwatch.StartNew();
        long sum = 0;
        foreach (string file in Files(path))
        {
            using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(file, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            using MemoryMappedViewAccessor view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            for (long at = 0; at < view.Capacity; at += Page)
                sum += view.ReadByte(at);
        }
        return sum < 0 ? double.NaN : watch.Elapsed.TotalSeconds;
    }

    private static string[] Spawn(string verb, string path)
    {
        ProcessStartInfo info = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(info.FileName) == "dotnet")
            info.ArgumentList.Add(typeof(FirstTokenBench).Assembly.Location);
        info.ArgumentList.Add(verb);
        info.ArgumentList.Add(path);
        using Process child = Process.Start(info)!;
        string[] numbers = child.StandardOutput.ReadToEnd().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        child.WaitForExit();
        return child.ExitCode == 0 ? numbers : throw new InvalidOperationException($"{verb} {path} ended with code {child.ExitCode}.");
    }

    private static string[] Files(string path) => File.Exists(path) ? [path] : Directory.GetFiles(path, "*.safetensors");

    private static bool Drop(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Advise((int)stream.SafeFileHandle.DangerousGetHandle(), 0, 0, DontNeed) == 0;
    }

    private static double Parse(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(int file, long offset, long length, int advice);
}
