using System.Text;

namespace Gradus.Text;

/// <summary>What the names under tokenizer.ggml.pre stand for.</summary>
internal static class GgufPatterns
{
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

    private const string CapitalWords = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + Contraction
        + @"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + Contraction + "?";

    private const string SpacesLast = @"\s*[\r\n]+|\s+(?!\S)|\s+";

    // Letters with case, as the tokenizer lists them.
    private const string Latin = @"\s?["
        + @"A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377"
        + @"\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556"
        + @"\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15"
        + @"\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe"
        + @"\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113"
        + @"\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184"
        + @"\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cb3\u2cf2\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"
        + @"\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
        + @"𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

    private const string EastAsian = @"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";

    private const string HanAndKana = @"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";

    private const string DeepSeekWords =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + SpacesLast;

    private const string Bloom = @" ?[^(\s|.,!?…。，、।۔،)]+";

    // Runs of spaces, tabs and line ends; numbers of one to seven digits; contractions in both cases; marks, symbols, and scripts without case.
    private const string Probe =
        "Hello,  world!   \t\t x\n\n\r\n  1 12 123 1234 1234567 3.14 I'll we'VE don'T it's 'quoted' a_b C++ #include <x.h> $5 ^~`|"
        + "... !!! ?? --> :/ //\r\n e\u0301te\u0301 na\u00efve \u4f60\u597d\uff0c\u4e16\u754c\u3002 \u0645\u0631\u062d\u0628\u0627\u060c \u0917\u0941\u0930\u0941 \u0661\u0662\u0663\u0664 \U0001f600\U0001f468\u200d\U0001f469 CamelCaseWord HTTPServer \u01c5x end. ";

    // Of names with the same pattern the one that llama.cpp's conversion gives most often.
    private static readonly string[] Names = ["gpt-2", "llama-bpe", "qwen2", "gpt-4o", "llama4", "tekken", "starcoder", "falcon", "dbrx", "default", "bloom",
        "deepseek-v3", "deepseek-llm", "deepseek-coder", "qwen35", "tiny_aya", "youtu", "viking", "bailingmoe", "seed-coder", "exaone-moe"];

    /// <summary>The pre-tokenizer of a name, and whether a piece that is a token is taken whole.</summary>
    public static (PreTokenizer PreTokenizer, bool IgnoreMerges) Find(string name, string place)
    {
        switch (name)
        {
            case "gpt-2" or "gpt2" or "mpt" or "olmo" or "phi-2" or "roberta-bpe" or "jina-es" or "jina-de" or "jina-v1-en" or "jina-v2-es" or "jina-v2-de" or "jina-v2-code"
                or "gigachat" or "a.x-4.0" or "mellum" or "modern-bert" or "exaone4" or "jais" or "trillion" or "granite-docling":
                return (Bytes(useRegex: true), false);
            case "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral" or "midm-2.0" or "lfm2" or "jina-v5-nano":
                return (Split(PatternSplitter.Cl100kPattern), true);
            case "dbrx" or "smaug-bpe" or "chatglm-bpe" or "glm4":
                return (Split(PatternSplitter.Cl100kPattern), false);
            case "qwen2" or "deepseek-r1-qwen" or "stablelm2" or "hunyuan" or "megrez" or "kormo" or "grok-2" or "solar-open" or "f2llmv2":
                return (Split(PatternSplitter.Qwen2Pattern), false);
            case "gpt-4o" or "llama4" or "kanana2" or "minimax-m2" or "talkie":
                return (Split(PatternSplitter.O200kPattern), name == "llama4");
            case "tekken":
                return (Split(Tekken), true);
            case "starcoder" or "refact" or "command-r" or "smollm" or "codeshell" or "exaone" or "minerva-7b" or "mellum2":
                return (new PreTokenizerSequence([new DigitsPreTokenizer(individualDigits: true), Bytes(useRegex: true)]), false);
            case "falcon":
                return (new PreTokenizerSequence([
                    new SplitPreTokenizer(@"[\p{P}\$\+<=>\^~\|`]+"), new SplitPreTokenizer(PatternSplitter.Gpt2Pattern), new SplitPreTokenizer("[0-9][0-9][0-9]"), Bytes(useRegex: false)]), false);
            case "default":
                return (new PreTokenizerSequence([
                    new SplitPreTokenizer(@"[\p{P}\$\+<=>\^~\|]+"), new SplitPreTokenizer(PatternSplitter.Gpt2Pattern), new SplitPreTokenizer(@"\p{N}+"), new SplitPreTokenizer("[0-9][0-9][0-9]"), Bytes(useRegex: false)]), false);
            case "bloom" or "poro-chat" or "gpt3-finnish":
                return (Split(Bloom), false);
            case "viking":
                return (Split(Bloom, @"\p{N}"), false);
            case "deepseek-llm":
                return (Split(@"[\r\n]", Latin, @"\s?[!-/:-~！-／：-～‘-‟　-。]+", @"\s+$", EastAsian, @"\p{N}+"), false);
            case "deepseek-coder":
                return (Split(@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", EastAsian, @"\p{N}"), false);
            case "deepseek-v3" or "hunyuan-dense" or "joyai-llm":
                return (Split(@"\p{N}{1,3}", HanAndKana, DeepSeekWords), false);
            case "youtu":
                return (Split(
                    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + HanAndKana, CapitalWords + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SpacesLast), true);
            case "tiny_aya" or "cohere2moe":
                return (Split(@"\d{1,3}(?=(?:\d{3})*\b)", CapitalWords + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SpacesLast), false);
            case "qwen35":
                return (Split(Contraction + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SpacesLast), false);
            case "bailingmoe" or "bailingmoe2" or "llada-moe":
                return (Split(@"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"), false);
            case "seed-coder":
                return (Split(Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + SpacesLast), false);
            case "exaone-moe":
                return (Split(Contraction + @"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"), false);
            case "minicpm5":
                return (Split(@"\p{N}{1,3}", Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|" + SpacesLast), true);
            case "laguna":
                return (Split(@"[^\n]+|[\n]+", PatternSplitter.Qwen2Pattern), false);
            case "chameleon":
                return (Split(
                    "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", @"([\t\n]|    |  )", @"\p{N}", @"[\p{P}!-/:-@\[-`{-~]", PatternSplitter.Gpt2Pattern), false);
            default:
                throw new InvalidDataException($"{place}: tokenizer.ggml.pre is \"{name}\", whose pattern is not known. Use the model's tokenizer.json.");
        }
    }

    /// <summary>Whether llama.cpp begins a text with the first token where a file of this name does not say.</summary>
    public static bool AddsBos(string name) =>
        name is "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral" or "midm-2.0" or "lfm2" or "jina-v5-nano" or "tekken" or "chameleon";

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

    // One pattern after another cuts what the ones before it left whole.
    private static PreTokenizerSequence Split(params string[] patterns) => new([.. patterns.Select(p => new SplitPreTokenizer(p)), Bytes(useRegex: false)]);
}
