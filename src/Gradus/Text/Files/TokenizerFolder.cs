// A tokenizer as a folder in Hugging Face's layout: tokenizer.json with the beside-files that say which tokens begin, end and pad,
// and the chat template. Source: transformers, tokenization_utils_base.

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Text;

public sealed partial class Tokenizer
{
    private const string JsonFile = "tokenizer.json";

    /// <summary>Reads a tokenizer: a folder in Hugging Face's layout, or one file of any format that can be told by its content.</summary>
    /// <param name="path">The folder or file.</param>
    /// <exception cref="InvalidDataException">The content is not a tokenizer; the message says which file, where and why.</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            return TokenizerFolder.Load(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such tokenizer file or folder.", path);
        return TokenizerFolder.LoadFile(path);
    }

    /// <summary>
    /// Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and, where there is one, the chat template into a folder,
    /// which is made if need be. The same tokenizer always gives the same bytes.
    /// </summary>
    /// <param name="folder">The folder.</param>
    public void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, JsonFile), TokenizerJson.Write(this));
        File.WriteAllBytes(Path.Combine(folder, TokenizerSettings.ConfigFile), TokenizerFolder.WriteConfig(_parts));
        File.WriteAllBytes(Path.Combine(folder, TokenizerSettings.SpecialFile), TokenizerFolder.WriteSpecial(_parts.SpecialTokens));
        // That file counts before tokenizer_config.json, and holds one template only.
        if (_parts.ChatTemplate is { } template && _parts.OtherChatTemplates.Count == 0)
            File.WriteAllText(Path.Combine(folder, TokenizerSettings.TemplateFile), template);
    }

    private static class TokenizerFolder
    {
        private static JsonWriterOptions Options => new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

        private static readonly (string Name, Func<SpecialTokens, string?> Get)[] Names =
        [
            ("bos_token", s => s.Bos), ("cls_token", s => s.Classifier), ("eos_token", s => s.Eos), ("mask_token", s => s.Mask),
            ("pad_token", s => s.Pad), ("sep_token", s => s.Separator), ("unk_token", s => s.Unknown),
        ];

        public static Tokenizer Load(string folder)
        {
            string json = Path.Combine(folder, JsonFile);
            if (!File.Exists(json))
                return LoadOther(folder);
            return WithSettings(TokenizerJson.Load(json), TokenizerSettings.Read(folder));
        }

        public static Tokenizer LoadFile(string path)
        {
            string name = Path.GetFileName(path);
            byte[] head = new byte[4];
            int read;
            using (FileStream stream = File.OpenRead(path))
                read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            if (read == 4 && head.AsSpan().SequenceEqual("GGUF"u8))
                return GgufVocabulary.Load(path);
            if (name.EndsWith(".tiktoken", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".tiktoken.gz", StringComparison.OrdinalIgnoreCase))
                return TiktokenFile.Load(path);
            if (name.EndsWith(".txt", StringComparison.OrdinalIgnoreCase))
                return BertVocabulary.Load(path);
            if (name.EndsWith(".bin", StringComparison.OrdinalIgnoreCase))
                return Llama2cTokenizerFile.Load(path);
            if (name.EndsWith(".model", StringComparison.OrdinalIgnoreCase))
                return SentencePieceFile.Load(path);
            Tokenizer tokenizer = TokenizerJson.Load(path);
            return Path.GetFileName(path) == JsonFile ? WithSettings(tokenizer, TokenizerSettings.Read(Path.GetDirectoryName(Path.GetFullPath(path))!)) : tokenizer;
        }

        public static byte[] WriteConfig(TokenizerParts parts)
        {
            return WriteObject(writer =>
            {
                WriteNames(writer, parts.SpecialTokens);
                writer.WriteBoolean("clean_up_tokenization_spaces", false);
                writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
                if (parts.SpecialTokenPolicy == SpecialTokenPolicy.Text && parts.Normalizer is not SentencePieceNormalizer)
                    writer.WriteBoolean("split_special_tokens", true);
                WriteTemplates(writer, parts);
            });
        }

        public static byte[] WriteSpecial(SpecialTokens special) => WriteObject(writer => WriteNames(writer, special));

        private static Tokenizer LoadOther(string folder)
        {
            TokenizerSettings settings = TokenizerSettings.Read(folder);
            if (VocabularyFolder.TryLoad(settings) is { } tokenizer)
                return WithTemplates(tokenizer, settings);
            string llama2c = Path.Combine(folder, "tokenizer.bin");
            Tokenizer plain = VocabularyFolder.Find(folder) switch
            {
                { Form: VocabularyForm.BytePairs, Path: var path } => Gpt2Files.Load(path, Path.Combine(folder, "merges.txt")),
                { Path: var path } => LoadFile(path),
                null when File.Exists(llama2c) => LoadFile(llama2c),
                _ => throw new FileNotFoundException($"{folder}: there is no {JsonFile}, and no other tokenizer file that is known. Give the folder of a tokenizer, or one tokenizer file.", folder),
            };
            return WithSettings(plain, settings);
        }

        private static Tokenizer WithSettings(Tokenizer tokenizer, TokenizerSettings settings)
        {
            try
            {
                return WithTemplates(new Tokenizer(new TokenizerUpdate(tokenizer.Parts, settings).Apply()), settings);
            }
            catch (InvalidDataException e) when (!e.Message.StartsWith(settings.Folder, StringComparison.Ordinal) || !OneLine.Is(e.Message))
            {
                throw new InvalidDataException(OneLine.Of(e.Message.StartsWith(settings.Folder, StringComparison.Ordinal) ? e.Message : $"{settings.ConfigPath}: {e.Message}"), e);
            }
        }

        private static Tokenizer WithTemplates(Tokenizer tokenizer, TokenizerSettings settings) => settings.ChatTemplateFile is null && settings.OtherTemplates.Count == 0
            ? tokenizer
            : new Tokenizer(tokenizer.Parts with { ChatTemplate = settings.ChatTemplate, ChatTemplateFile = settings.ChatTemplateFile, OtherChatTemplates = settings.OtherTemplates });

        private static void WriteTemplates(Utf8JsonWriter writer, TokenizerParts parts)
        {
            if (parts.OtherChatTemplates.Count == 0)
            {
                if (parts.ChatTemplate is { } template)
                    writer.WriteString("chat_template", template);
                return;
            }
            writer.WriteStartArray("chat_template");
            IEnumerable<(string, string?)> all = [("default", parts.ChatTemplate), .. parts.OtherChatTemplates.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => (t.Key, (string?)t.Value))];
            foreach ((string name, string? template) in all.Where(t => t.Item2 is not null))
            {
                writer.WriteStartObject();
                writer.WriteString("name", name);
                writer.WriteString("template", template);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }

        private static void WriteNames(Utf8JsonWriter writer, SpecialTokens special)
        {
            foreach ((string name, Func<SpecialTokens, string?> get) in Names)
            {
                if (get(special) is { } token)
                    writer.WriteString(name, token);
            }
        }

        private static byte[] WriteObject(Action<Utf8JsonWriter> write)
        {
            ArrayBufferWriter<byte> buffer = new();
            using (Utf8JsonWriter writer = new(buffer, Options))
            {
                writer.WriteStartObject();
                write(writer);
                writer.WriteEndObject();
            }
            return buffer.WrittenSpan.ToArray();
        }
    }
}
