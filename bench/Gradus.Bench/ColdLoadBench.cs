// The cold start of a tokenizer: the time from the call that loads it to the end of the first encode, in a process that has done nothing
// before. Goal: a vocabulary of 128,000 tokens in under 150 ms. The process is this program, started anew for every figure.

using System.Diagnostics;
using System.Globalization;
using Gradus.Files;
using Gradus.Text;
using GgufMetadata = Gradus.Files.GgufMetadata;

namespace Gradus.Bench;

internal static class ColdLoadBench
{
    public const string ChildArgument = "cold-load-of";

    private const int Tokens = 128_000;
    private const int Processes = 10;
    private const double GoalMilliseconds = 150;

    public static void Run(string shared, Action<string> print)
    {
        string tiktoken = Path.Combine(shared, "data", "tokenizers", "tiktoken");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("gradus-coldload");
        try
        {
            (string json, string gguf) = WriteLarge(Path.Combine(tiktoken, "o200k_base.tiktoken.gz"), folder.FullName);
            Measure("tokenizer.json, 128k tokens", json, print);
            Measure("GGUF, 128k tokens", gguf, print);
            Measure("cl100k ranks", Path.Combine(tiktoken, "cl100k_base.tiktoken"), print);
            Measure("o200k ranks, gzipped", Path.Combine(tiktoken, "o200k_base.tiktoken.gz"), print);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What the started process does: prints the milliseconds.</summary>
    public static int Child(string file)
    {
        long start = Stopwatch.GetTimestamp();
        Tokenizer tokenizer = Tokenizer.Load(file);
        int tokens = tokenizer.Encode("The first text that is encoded.").Length;
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{milliseconds} {tokens}"));
        return tokens > 0 ? 0 : 1;
    }

    /// <summary>The first tokens of o200k in the form of Llama 3's files: every split of a token into two is a merge.</summary>
    private static (string Json, string Gguf) WriteLarge(string ranks, string folder)
    {
        Tokenizer whole = Tokenizer.Load(ranks);
        List<(byte[] Token, int Rank)> first = [.. Enumerable.Range(0, Tokens).Select(id => (whole.GetTokenBytes(id).ToArray(), id))];
        TiktokenEncoding encoding = new("large", TiktokenEncoding.Cl100kBase.Pattern, new Dictionary<string, int> { ["<|endoftext|>"] = Tokens });
        byte[] content = TokenizerJson.Write(TiktokenFile.FromRanks(first, encoding));
        string json = Path.Combine(folder, "tokenizer.json");
        File.WriteAllBytes(json, content);
        string gguf = Path.Combine(folder, "vocabulary.gguf");
        Tokenizer large = TokenizerJson.Parse(content);
        GgufMetadata metadata = new();
        foreach ((string key, object value) in GgufVocabulary.Write(large, large.VocabularySize))
            metadata.Set(key, value);
        using (FileStream stream = File.Create(gguf))
        using (GgufWriter writer = new(stream, metadata, []))
            writer.Complete();
        return (json, gguf);
    }

    private static void Measure(string name, string file, Action<string> print)
    {
        double[] milliseconds = new double[Processes];
        for (int i = 0; i < Processes; i++)
        {
            ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
            if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
                start.ArgumentList.Add(typeof(ColdLoadBench).Assembly.Location);
            start.ArgumentList.Add(ChildArgument);
            start.ArgumentList.Add(file);
            using Process child = Process.Start(start) ?? throw new InvalidOperationException("The process that loads did not start.");
            string output = child.StandardOutput.ReadToEnd();
            child.WaitForExit();
            milliseconds[i] = double.Parse(output.Split(' ')[0], CultureInfo.InvariantCulture);
        }
        Array.Sort(milliseconds);
        print($"cold load, {name}: {milliseconds[0]:0} ms best, {milliseconds[Processes / 2]:0} ms median of {Processes} processes; goal: {GoalMilliseconds:0} ms");
    }
}
