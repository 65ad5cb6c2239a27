// GPT-2's own two files: vocab.json (or encoder.json) with ids, and merges.txt (or vocab.bpe) with a merge a line.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Reads GPT-2's vocab.json and merges.txt.</summary>
public static class Gpt2Files
{
    /// <summary>Reads a byte-level BPE with GPT-2's pattern.</summary>
    /// <param name="vocabularyPath">Path of vocab.json or encoder.json.</param>
    /// <param name="mergesPath">Path of merges.txt or vocab.bpe.</param>
    /// <param name="endOfText">The special token, used where the vocabulary has it.</param>
    /// <exception cref="InvalidDataException">A file cannot be read; the message says where and why.</exception>
    public static Tokenizer Load(string vocabularyPath, string mergesPath, string endOfText = "<|endoftext|>")
    {
        using JsonDocument document = ParseJson(vocabularyPath);
        Vocabulary.Builder builder = new(byteLevel: true, 1 << 15);
        foreach ((string token, JsonPlace id) in new JsonPlace(document.RootElement, vocabularyPath).Properties())
        {
            try
            {
                builder.AddText(Encoding.UTF8.GetBytes(token), id.Number());
            }
            catch (InvalidDataException e) when (!e.Message.StartsWith(vocabularyPath, StringComparison.Ordinal))
            {
                throw new InvalidDataException($"{vocabularyPath}: {e.Message}", e);
            }
        }
        Vocabulary vocabulary = builder.Build(vocabularyPath);
        AddedToken[] added = vocabulary.Find(endOfText) is int id0 ? [new AddedToken(id0, endOfText)] : [];
        return new Tokenizer(new TokenizerParts(Bpe.FromMerges(vocabulary, ReadMerges(mergesPath, vocabulary), new BpeOptions()))
        {
            PreTokenizer = new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true, keepBytes: true),
            PostProcessor = new ByteLevelProcessing(trimOffsets: false),
            Decoder = new ByteLevelDecoder(),
            AddedTokens = added,
            SpecialTokens = added.Length == 0 ? SpecialTokens.None : new SpecialTokens(Bos: endOfText, Eos: endOfText, Unknown: endOfText),
        });
    }

    private static JsonDocument ParseJson(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not JSON, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: {e.Message}", e);
        }
    }

    private static Merge[] ReadMerges(string path, Vocabulary vocabulary)
    {
        List<Merge> merges = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (line.Length == 0 || (number == 1 && line.StartsWith("#version", StringComparison.Ordinal)))
                continue;
            string[] parts = line.Split(' ');
            if (parts.Length != 2)
                throw new InvalidDataException($"{path}, line {number}: expected two tokens with one space between them, found \"{line}\".");
            merges.Add(new Merge(Id(parts[0]), Id(parts[1]), Id(parts[0] + parts[1])));
        }
        return [.. merges];

        int Id(string token) => vocabulary.Find(token) ?? throw new InvalidDataException($"{path}, line {number}: the token \"{token}\" is not in the vocabulary.");
    }
}
