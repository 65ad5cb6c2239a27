using System.Text;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary>The kinds of tokenizers that are trained here.</summary>
internal enum TokenizerKind
{
    /// <summary>Byte-level byte-pair encoding.</summary>
    Bpe,

    /// <summary>Unigram pieces of SentencePiece's kind, words marked by ▁.</summary>
    Unigram,

    /// <summary>WordPiece, as BERT has.</summary>
    WordPiece,

    /// <summary>One token per character.</summary>
    Character,
}

/// <summary>How a tokenizer is trained.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="VocabularySize">Tokens wanted, special ones included; characters take as many as there are.</param>
/// <param name="SpecialTokens">Tokens with the first ids, which are never cut; null for those that the kind usually has.</param>
/// <param name="MinFrequency">How often a pair must occur to be joined, or a piece to be tried.</param>
/// <param name="Pattern">The regular expression that cuts text into pieces, or null for GPT-2's; BPE only.</param>
/// <param name="UnknownToken">The token for characters that the text does not have, or null to drop them; characters only.</param>
/// <param name="Cased">Whether WordPiece tells upper from lower case and keeps accents.</param>
internal sealed record TokenizerTrainingSettings(
    TokenizerKind Kind,
    int VocabularySize,
    IReadOnlyList<string>? SpecialTokens = null,
    int MinFrequency = 2,
    string? Pattern = null,
    string? UnknownToken = null,
    bool Cased = false);

/// <summary>Trains a tokenizer on files and writes it with its report: what the verb and the stages share.</summary>
internal static class TokenizerTraining
{
    /// <summary>The file of the report, which <c>report.html</c> reads too.</summary>
    public const string ReportFile = "tokenizer-report.json";

    private const string EndOfText = "<|endoftext|>";
    private const string TurnStart = "<|im_start|>";
    private const string TurnEnd = "<|im_end|>";

    /// <summary>The special tokens of a model that is to chat: the end of a text, and the marks of a turn.</summary>
    public static IReadOnlyList<string> ChatTokens { get; } = [EndOfText, TurnStart, TurnEnd];

    /// <summary>The special tokens of a kind where none are asked for: GPT-2's one, SentencePiece's three, BERT's five.</summary>
    public static IReadOnlyList<string> UsualTokens(TokenizerKind kind) => kind switch
    {
        TokenizerKind.Unigram => ["<unk>", "<s>", "</s>"],
        TokenizerKind.WordPiece => ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        _ => [EndOfText],
    };

    /// <summary>Trains on files (see <see cref="TextInput"/>).</summary>
    /// <exception cref="InvalidDataException">A file cannot be read as text, or there is no text.</exception>
    public static TrainedTokenizer Train(CommandContext context, TokenizerTrainingSettings settings, IReadOnlyList<string> paths) => settings.Kind switch
    {
        TokenizerKind.Character => TrainCharacters(context, settings, paths),
        TokenizerKind.Unigram => UnigramTrainer.Train(
            TextInput.OpenCorpus(context, paths), new UnigramTrainerOptions(settings.VocabularySize, Special(settings), MinFrequency: settings.MinFrequency)),
        TokenizerKind.WordPiece => WordPieceTrainer.Train(
            TextInput.OpenCorpus(context, paths),
            new WordPieceTrainerOptions(settings.VocabularySize, Special(settings), settings.MinFrequency, settings.Cased ? new BertNormalizer(lowercase: false) : null)),
        _ => TrainBpe(TextInput.OpenCorpus(context, paths), settings),
    };

    /// <summary>
    /// Trains byte-level BPE. With the tokens that begin and end a turn among the special ones, the tokenizer gets the chat template
    /// that writes them.
    /// </summary>
    public static TrainedTokenizer TrainBpe(Corpus corpus, TokenizerTrainingSettings settings)
    {
        IReadOnlyList<string> special = Special(settings);
        TrainedTokenizer trained = ByteLevelBpeTrainer.Train(
            corpus, new ByteLevelBpeOptions(settings.VocabularySize, special, settings.MinFrequency, settings.Pattern));
        TokenizerParts parts = trained.Tokenizer.Parts;
        if (special.Contains(EndOfText))
            parts = parts with { SpecialTokens = parts.SpecialTokens with { Eos = EndOfText, Pad = EndOfText } };
        if (special.Contains(TurnStart) && special.Contains(TurnEnd))
            parts = parts with { ChatTemplate = ChatTemplate.ChatMl };
        return trained with { Tokenizer = new Tokenizer(parts) };
    }

    /// <summary>Writes the tokenizer's files and its report as one folder; an earlier one of ours is replaced.</summary>
    public static void Write(string folder, TrainedTokenizer trained)
    {
        using AtomicFolder writing = AtomicFolder.Begin(folder);
        trained.Tokenizer.Save(writing.TemporaryPath);
        Checkpoint.WriteObject(writing, ReportFile, Report(trained.Report));
        writing.Commit();
    }

    /// <summary>The report as JSON.</summary>
    public static JsonObject Report(TokenizerTrainingReport report) => new()
    {
        ["vocabulary_size"] = report.VocabularySize,
        ["text_bytes"] = report.TextBytes,
        ["text_tokens"] = report.TextTokens,
        ["bytes_per_token"] = Math.Round(report.BytesPerToken, 4),
        ["distinct_words"] = report.DistinctWords,
        ["unused"] = report.VocabularySize - report.UsedTokens,
        ["longest_tokens"] = new JsonArray([.. report.LongestTokens.Select(t => (JsonNode)t)]),
    };

    private static IReadOnlyList<string> Special(TokenizerTrainingSettings settings) => settings.SpecialTokens ?? UsualTokens(settings.Kind);

    private static TrainedTokenizer TrainCharacters(CommandContext context, TokenizerTrainingSettings settings, IReadOnlyList<string> paths)
    {
        long bytes = 0, characters = 0;
        HashSet<Rune> distinct = [];
        Tokenizer tokenizer = CharacterTokenizer.Train(Counted(), Special(settings), settings.UnknownToken);
        if (bytes == 0)
            throw TextInput.NoText(paths);
        return new TrainedTokenizer(
            tokenizer, new TokenizerTrainingReport(tokenizer.VocabularySize, bytes, distinct.Count, characters, distinct.Count, []));

        IEnumerable<string> Counted()
        {
            foreach (string text in TextInput.Documents(context, paths))
            {
                bytes += Encoding.UTF8.GetByteCount(text);
                foreach (Rune rune in text.EnumerateRunes())
                {
                    characters++;
                    distinct.Add(rune);
                }
                yield return text;
            }
        }
    }
}
