using System.Text.Json;
using System.Text.RegularExpressions;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>
/// Every folder below shared/cases/files that has a tokenizer, held to what its own files say: the expected values are read from
/// the files, not kept here, and where the README's row gives ids for a text, those are compared as well.
/// </summary>
public sealed partial class TokenizerCaseTests
{
    private static readonly string[] VocabularyFiles = ["tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"];

    public static TheoryData<string> Cases()
    {
        string? root = SharedFolder.Find("cases", "files");
        return root is null ? [] : new TheoryData<string>(Directory.GetDirectories(root).Where(d => VocabularyFiles.Any(f => File.Exists(Path.Combine(d, f)))).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void AddedAndSpecialTokensHaveTheIdsThatTheFilesGiveThem(string name)
    {
        string folder = SharedFolder.Find("cases", "files", name)!;
        Tokenizer tokenizer = Tokenizer.Load(folder);
        JsonElement config = Read(folder, "tokenizer_config.json");
        Dictionary<string, int> expected = [];
        JsonElement decoder = config.ValueKind == JsonValueKind.Object && config.TryGetProperty("added_tokens_decoder", out JsonElement found) ? found : default;
        if (decoder.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty token in decoder.EnumerateObject())
                expected[token.Value.GetProperty("content").GetString()!] = int.Parse(token.Name);
        }
        else if (Read(folder, "added_tokens.json") is { ValueKind: JsonValueKind.Object } added)
        {
            foreach (JsonProperty token in added.EnumerateObject())
                expected[token.Name] = token.Value.GetInt32();
        }
        foreach ((string content, int id) in expected)
        {
            Assert.Equal([id], tokenizer.Encode(content, addSpecialTokens: false));
            Assert.Equal(content, tokenizer.IdToToken(id));
        }
        JsonElement map = decoder.ValueKind == JsonValueKind.Object ? default : Read(folder, "special_tokens_map.json");
        foreach ((string role, int? id) in new[] { ("bos_token", tokenizer.BosId), ("eos_token", tokenizer.EosId), ("unk_token", tokenizer.UnknownId), ("pad_token", tokenizer.PadId) })
        {
            if ((Content(map, role) ?? Content(config, role)) is { } content)
            {
                Assert.Equal(tokenizer.TokenToId(content), id);
                Assert.NotNull(id);
            }
        }
        Assert.True(tokenizer.VocabularySize > expected.Values.DefaultIfEmpty(0).Max());
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void BeginAndEndTokensAreThoseOfTheSettingsAndTheClass(string name)
    {
        string folder = SharedFolder.Find("cases", "files", name)!;
        Tokenizer tokenizer = Tokenizer.Load(folder);
        JsonElement config = Read(folder, "tokenizer_config.json");
        string className = (Content(config, "tokenizer_class") ?? "").Replace("TokenizerFast", "Tokenizer", StringComparison.Ordinal);
        bool llama = className is "LlamaTokenizer" or "CodeLlamaTokenizer" or "GemmaTokenizer";
        bool encoder = className is "RobertaTokenizer" or "BertTokenizer" or "BartTokenizer" or "DistilBertTokenizer" or "ElectraTokenizer" or "XLMRobertaTokenizer";
        bool? begins = encoder ? true : Flag(config, "add_bos_token") ?? (llama ? true : className is "T5Tokenizer" ? false : null);
        bool? ends = encoder || className == "T5Tokenizer" ? true : Flag(config, "add_eos_token") ?? (llama ? false : null);
        int[] ids = tokenizer.Encode("a b");
        int[] bare = tokenizer.Encode("a b", addSpecialTokens: false);
        int? first = encoder ? tokenizer.ClassifierId : tokenizer.BosId;
        int? last = encoder ? tokenizer.SeparatorId : tokenizer.EosId;
        if (begins is { } begin)
            Assert.Equal(begin, ids[0] == first && ids.Length > bare.Length);
        if (ends is { } end)
            Assert.Equal(end, ids[^1] == last && ids.Length > bare.Length);
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void TheIdsAreThoseOfTheTable(string name)
    {
        string folder = SharedFolder.Find("cases", "files", name)!;
        Tokenizer tokenizer = Tokenizer.Load(folder);
        foreach (string row in File.ReadLines(SharedFolder.Find("cases", "files", "README.md")!).Where(r => r.StartsWith($"| {name} ", StringComparison.Ordinal)))
        {
            string expected = row.Replace("\\|", "\u0001", StringComparison.Ordinal).Split('|')[4].Replace('\u0001', '|');
            foreach (Match match in IdsForText().Matches(expected))
                Assert.Equal(match.Groups["ids"].Value.Trim(), string.Join(' ', tokenizer.Encode(match.Groups["text"].Value)));
            foreach (Match match in TokenIs().Matches(expected))
                Assert.Equal([int.Parse(match.Groups["id"].Value)], tokenizer.Encode(match.Groups["token"].Value, addSpecialTokens: false));
        }
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void WhatWasReadIsWrittenSoThatItReadsTheSame(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(SharedFolder.Find("cases", "files", name)!);
        using TemporaryFolder copy = new();
        tokenizer.Save(copy.Path);
        Tokenizer again = Tokenizer.Load(copy.Path);
        Assert.Equal(tokenizer.VocabularySize, again.VocabularySize);
        Assert.Equal(tokenizer.Parts.SpecialTokens, again.Parts.SpecialTokens);
        string special = string.Concat(tokenizer.Parts.AddedTokens.Where(a => a.Special).Select(a => $"w {a.Content} x"));
        foreach (string text in new[] { "hello world", "Hello, Wörld 12.", "中文 und é", special })
            Assert.Equal(tokenizer.Encode(text), again.Encode(text));
    }

    [GeneratedRegex("^ *(?<ids>[0-9]+(?: [0-9]+)+) for \"(?<text>[^\"]+)\"")]
    private static partial Regex IdsForText();

    [GeneratedRegex("(?<token><[^>]+>) = (?<id>[0-9]+)")]
    private static partial Regex TokenIs();

    private static JsonElement Read(string folder, string file)
    {
        string path = Path.Combine(folder, file);
        return File.Exists(path) ? Golden.Json(path) : default;
    }

    private static string? Content(JsonElement file, string name)
    {
        if (file.ValueKind != JsonValueKind.Object || !file.TryGetProperty(name, out JsonElement token))
            return null;
        return token.ValueKind == JsonValueKind.Object ? token.GetProperty("content").GetString() : token.GetString();
    }

    private static bool? Flag(JsonElement file, string name) =>
        file.ValueKind == JsonValueKind.Object && file.TryGetProperty(name, out JsonElement flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean() : null;
}
