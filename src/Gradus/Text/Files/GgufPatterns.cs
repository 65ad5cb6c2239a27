using System.Text;

namespace Gradus.Text;

/// <summary>What the names under tokenizer.ggml.pre stand for.</summary>
internal static class GgufPatterns
{
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Runs of spaces, tabs and line ends; numbers of one to seven digits; contractions in both cases; marks, symbols, and scripts without case.
    private const string Probe =
        "Hello,  world!   \t\t x\n\n\r\n  1 12 123 1234 1234567 3.14 I'll we'VE don'T it's 'quoted' a_b C++ #include <x.h> $5 ^~`|"
        + "... !!! ?? --> :/ //\r\n e\u0301te\u0301 na\u00efve \u4f60\u597d\uff0c\u4e16\u754c\u3002 \u0645\u0631\u062d\u0628\u0627\u060c \u0917\u0941\u0930\u0941 \u0661\u0662\u0663\u0664 \U0001f600\U0001f468\u200d\U0001f469 CamelCaseWord HTTPServer \u01c5x end. ";

    // Of names with the same pattern the one that llama.cpp's conversion gives most often.
    private static readonly string[] Names = ["gpt-2", "llama-bpe", "qwen2", "gpt-4o", "llama4", "tekken", "starcoder", "falcon", "dbrx", "default", "bloom"];

    /// <summary>The pre-tokenizer of a name, and whether a piece that is a token is taken whole.</summary>
    public static (PreTokenizer PreTokenizer, bool IgnoreMerges) Find(string name, string place)
    {
        switch (name)
        {
            case "gpt-2" or "gpt2" or "mpt" or "olmo" or "phi-2" or "roberta-bpe" or "jina-es" or "jina-de" or "jina-v1-en" or "jina-v2-es" or "jina-v2-de" or "gigachat" or "a.x-4.0" or "mellum":
                return (Bytes(useRegex: true), false);
            case "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral" or "midm-2.0" or "lfm2":
                return (Split(PatternSplitter.Cl100kPattern), true);
            case "dbrx" or "smaug-bpe" or "chatglm-bpe" or "glm4":
                return (Split(PatternSplitter.Cl100kPattern), false);
            case "qwen2" or "deepseek-r1-qwen" or "stablelm2" or "hunyuan" or "megrez" or "kormo":
                return (Split(PatternSplitter.Qwen2Pattern), false);
            case "gpt-4o" or "llama4":
                return (Split(PatternSplitter.O200kPattern), name == "llama4");
            case "tekken":
                return (Split(Tekken), true);
            case "starcoder" or "refact" or "command-r" or "smollm" or "codeshell" or "exaone" or "minerva-7b":
                return (new PreTokenizerSequence([new DigitsPreTokenizer(individualDigits: true), Bytes(useRegex: true)]), false);
            case "falcon":
                return (new PreTokenizerSequence([
                    new SplitPreTokenizer(@"[\p{P}\$\+<=>\^~\|`]+"), new SplitPreTokenizer(PatternSplitter.Gpt2Pattern), new SplitPreTokenizer("[0-9][0-9][0-9]"), Bytes(useRegex: false)]), false);
            case "default":
                return (new PreTokenizerSequence([
                    new SplitPreTokenizer(@"[\p{P}\$\+<=>\^~\|]+"), new SplitPreTokenizer(PatternSplitter.Gpt2Pattern), new SplitPreTokenizer(@"\p{N}+"), new SplitPreTokenizer("[0-9][0-9][0-9]"), Bytes(useRegex: false)]), false);
            case "bloom" or "poro-chat" or "gpt3-finnish":
                return (Split(@" ?[^(\s|.,!?…。，、।۔،)]+"), false);
            default:
                throw new InvalidDataException($"{place}: tokenizer.ggml.pre is \"{name}\", whose pattern is not known. Use the model's tokenizer.json.");
        }
    }

    /// <summary>The name of a pre-tokenizer: that of the first pattern which cuts a text with all kinds of difficult places in the same way.</summary>
    /// <exception cref="NotSupportedException">None does.</exception>
    public static string NameOf(PreTokenizer? preTokenizer, bool ignoreMerges)
    {
        if (preTokenizer is not null)
        {
            TextPiece[] pieces = Cut(preTokenizer);
            foreach (string name in Names)
            {
                (PreTokenizer candidate, bool ignores) = Find(name, name);
                if (ignores == ignoreMerges && Cut(candidate).AsSpan().SequenceEqual(pieces))
                    return name;
            }
        }
        throw new NotSupportedException($"The tokenizer cuts text in a way that has no name in GGUF; those with a name are {string.Join(", ", Names)}.");
    }

    private static TextPiece[] Cut(PreTokenizer preTokenizer)
    {
        EncodeScratch scratch = new();
        scratch.Begin(trackOffsets: false);
        scratch.Text.Load(Encoding.UTF8.GetBytes(Probe), 0, track: false);
        scratch.Pieces.Clear();
        scratch.Pieces.Add(new TextPiece(0, scratch.Text.Length));
        preTokenizer.Apply(scratch);
        return [.. scratch.Pieces];
    }

    private static ByteLevelPreTokenizer Bytes(bool useRegex) => new(addPrefixSpace: false, trimOffsets: true, useRegex, keepBytes: true);

    private static PreTokenizerSequence Split(string pattern) => new([new SplitPreTokenizer(pattern), Bytes(useRegex: false)]);
}
