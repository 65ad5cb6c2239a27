using System.IO.Compression;
using System.Text;

namespace Gradus.Bench;

/// <summary>Documents of a few kilobytes, as training data has them: English prose, source code, Chinese and Japanese, and a mixture.</summary>
internal static class TokenizerTexts
{
    private const int KindBytes = 6_000_000;
    private const int DocumentLength = 4096;

    /// <summary>The kinds of text, each with its documents: some megabytes of UTF-8, repeated where the data is less.</summary>
    /// <param name="data">The folder of the shared data.</param>
    public static IReadOnlyList<(string Kind, List<string> Documents)> Load(string data)
    {
        string multilingual = Path.Combine(data, "multilingual-text");
        List<string> prose = Documents(ReadAll(Path.Combine(data, "gutenberg-books"), file => !file.Contains(".de.", StringComparison.Ordinal)));
        List<string> code = Documents(ReadAll(Path.Combine(data, "humaneval")) + ReadAll(Path.Combine(data, "mbpp")) + File.ReadAllText(Path.Combine(data, "tokenizers", "tiktoken-expected", "lib.rs.txt")));
        List<string> chineseJapanese = Documents(ReadAll(multilingual, file => file.Contains(".zh", StringComparison.Ordinal) || file.Contains(".ja", StringComparison.Ordinal)));
        List<string> languages = Documents(ReadAll(Path.Combine(multilingual, "udhr")));
        return
        [
            ("prose", Fill(prose)),
            ("code", Fill(code)),
            ("Chinese/Japanese", Fill(chineseJapanese)),
            ("mixed", Fill(prose, code, chineseJapanese, languages)),
        ];
    }

    public static double Bytes(List<string> documents) => documents.Sum(d => (double)Encoding.UTF8.GetByteCount(d));

    /// <summary>Documents of each list in turn, from the front again where one is at its end.</summary>
    private static List<string> Fill(params List<string>[] lists)
    {
        List<string> all = [];
        long bytes = 0;
        for (int i = 0; bytes < KindBytes; i++)
        {
            foreach (List<string> list in lists)
            {
                all.Add(list[i % list.Count]);
                bytes += Encoding.UTF8.GetByteCount(all[^1]);
            }
        }
        return all;
    }

    private static List<string> Documents(string text)
    {
        List<string> documents = [];
        for (int at = 0; at < text.Length;)
        {
            int end = Math.Min(text.Length, at + DocumentLength);
            end = end == text.Length ? end : text.IndexOf('\n', end) is var n and >= 0 ? n + 1 : text.Length;
            documents.Add(text[at..end]);
            at = end;
        }
        return documents;
    }

    private static string ReadAll(string folder, Func<string, bool>? include = null)
    {
        StringBuilder all = new();
        foreach (string path in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(path);
            if (name == "README.md" || include?.Invoke(name) == false)
                continue;
            using Stream file = File.OpenRead(path);
            using Stream plain = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using StreamReader reader = new(plain);
            all.Append(reader.ReadToEnd());
        }
        return all.ToString();
    }
}
