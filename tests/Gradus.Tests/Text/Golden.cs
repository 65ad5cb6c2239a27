using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Tests.Text;

/// <summary>Finds and reads the goldens and the tokenizer files below the shared folder.</summary>
internal static class Golden
{
    public static string Data(params string[] path) => SharedFolder.Find(["data", "tokenizers", .. path]) ?? throw new FileNotFoundException(string.Join('/', path));

    public static string Case(string name, string file) => SharedFolder.Find("golden", "tokenizers", name, file) ?? throw new FileNotFoundException($"{name}/{file}");

    public static JsonElement Json(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    public static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt32())];

    public static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetString()!)];

    /// <summary>The folders below golden/tokenizers that hold a file.</summary>
    public static IEnumerable<string> CasesWith(string file) => SharedFolder.GoldenCases("tokenizers").Where(c => SharedFolder.Find("golden", "tokenizers", c, file) is not null);
}
