// Generated text through the cleaning of corpora. Memory is the largest resident set of the process so far, which holds the pages of files as well.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Gradus.Tensors;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Bench;

/// <summary>Measures filters and deduplication on generated documents, a tenth of which repeat others or nearly do.</summary>
internal static class CleaningBench
{
    private static readonly string[] Common = ["the", "be", "to", "of", "and", "that", "have", "with", "in", "a", "it", "for", "on", "as", "was", "this"];

    /// <summary>Measures, and prints a line for each step.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="megabytes">Megabytes of text to generate.</param>
    public static void Run(TextWriter output, int megabytes)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("gradus-bench-");
        try
        {
            string corpus = Path.Combine(folder.FullName, "corpus.jsonl");
            Generate(corpus, megabytes * 1_000_000L);
            double bytes = new FileInfo(corpus).Length;
            output.WriteLine($"{bytes / 1e6:N0} MB of generated documents, {Environment.ProcessorCount} threads");
            Measure(output, "filters (Gopher, C4, FineWeb)", corpus, bytes, (c, to) => c.Filter(
                [("gopher-repetition", new GopherRepetition()), ("gopher-quality", new GopherQuality()), ("c4", new C4Quality(EndMarks: false)), ("fineweb", new FineWebQuality())], to));
            Measure(output, "exact duplicates", corpus, bytes, (c, to) => c.DropEqual(to));
            Measure(output, "near duplicates (MinHash)", corpus, bytes, (c, to) => c.DropAlike(new MinHash(), to));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Measure(TextWriter output, string name, string corpus, double bytes, Action<CorpusCleaning, string> step)
    {
        CleaningReport report = new(0);
        long start = Stopwatch.GetTimestamp();
        step(new CorpusCleaning([corpus], null, report), $"{corpus}.out.jsonl");
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        using Process process = Process.GetCurrentProcess();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-32} {bytes / seconds / 1e6,8:0.0} MB/s  {report.Kept:N0} of {report.Documents:N0} documents kept  largest resident set {process.PeakWorkingSet64 / 1048576.0:N0} MiB"));
    }

    // Sentences of common and made-up words; every tenth document is an earlier one, every second of those with another beginning.
    private static void Generate(string path, long bytes)
    {
        using StreamWriter writer = new(path, append: false, new UTF8Encoding(false));
        long written = 0;
        for (int document = 0; written < bytes; document++)
        {
            bool repeats = document % 10 == 9;
            string text = Text((ulong)(repeats ? document - 5 : document));
            if (repeats && document % 20 == 19)
                text = $"Another beginning. {text}";
            writer.Write("{\"text\": \"");
            writer.Write(text);
            writer.Write("\"}\n");
            written += text.Length;
        }
    }

    private static string Text(ulong document)
    {
        ulong key = CounterRandom.Derive(17, document);
        StringBuilder text = new();
        int words = 150 + CounterRandom.Below(key, 0, 900), inSentence = 0;
        for (int i = 1; i <= words; i++)
        {
            int drawn = CounterRandom.Below(key, i, 1 << 20);
            string word = (drawn & 3) == 0 ? Common[(drawn >> 2) % Common.Length] : Made(drawn >> 2);
            text.Append(inSentence == 0 ? char.ToUpperInvariant(word[0]) : word[0]).Append(word, 1, word.Length - 1);
            inSentence++;
            bool ends = inSentence > 6 && (drawn & 1020) < 90;
            text.Append(ends ? (drawn & 2048) == 0 ? ".\\n" : ". " : " ");
            inSentence = ends ? 0 : inSentence;
        }
        return text.Append("end.").ToString();
    }

    private static string Made(int number)
    {
        StringBuilder word = new();
        for (int syllables = 1 + (number % 3); syllables >= 0; syllables--, number /= 21)
            word.Append("bdfgklmnprstvz"[number % 14]).Append("aeiou"[number % 5]);
        return word.ToString();
    }
}
