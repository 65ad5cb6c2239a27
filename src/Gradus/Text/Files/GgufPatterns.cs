namespace Gradus.Text;

/// <summary>What the names under tokenizer.ggml.pre stand for.</summary>
internal static class GgufPatterns
{
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

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

    private static ByteLevelPreTokenizer Bytes(bool useRegex) => new(addPrefixSpace: false, trimOffsets: true, useRegex, keepBytes: true);

    private static PreTokenizerSequence Split(string pattern) => new([new SplitPreTokenizer(pattern), Bytes(useRegex: false)]);
}
