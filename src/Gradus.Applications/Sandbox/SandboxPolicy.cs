using System.Buffers.Binary;

namespace Gradus.Applications.Sandbox;

/// <summary>What the launcher is told, on its standard input, before it becomes the program.</summary>
internal sealed record SandboxPolicy(
    string Program, string[] Arguments, string[] Environment, string[] ReadPaths, string Folder, string StatusFile, long MemoryBytes, long FileBytes, int Processes,
    int Threads, int Seconds, bool IsDotNet, int UserId)
{
    /// <summary>The bytes: their number (four bytes), then the values.</summary>
    public byte[] ToBytes()
    {
        using MemoryStream stream = new();
        using (BinaryWriter writer = new(stream))
        {
            writer.Write(0);
            writer.Write(Program);
            foreach (string[] list in (string[][])[Arguments, Environment, ReadPaths])
            {
                writer.Write(list.Length);
                foreach (string item in list)
                    writer.Write(item);
            }
            writer.Write(Folder);
            writer.Write(StatusFile);
            writer.Write(MemoryBytes);
            writer.Write(FileBytes);
            writer.Write(Processes);
            writer.Write(Threads);
            writer.Write(Seconds);
            writer.Write(IsDotNet);
            writer.Write(UserId);
        }
        byte[] bytes = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length - 4);
        return bytes;
    }

    /// <summary>Reads the values, without their number.</summary>
    public static SandboxPolicy Read(byte[] bytes)
    {
        using BinaryReader reader = new(new MemoryStream(bytes));
        return new SandboxPolicy(
            reader.ReadString(), ReadList(reader), ReadList(reader), ReadList(reader), reader.ReadString(), reader.ReadString(), reader.ReadInt64(), reader.ReadInt64(),
            reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadBoolean(), reader.ReadInt32());
    }

    private static string[] ReadList(BinaryReader reader)
    {
        string[] list = new string[reader.ReadInt32()];
        for (int i = 0; i < list.Length; i++)
            list[i] = reader.ReadString();
        return list;
    }
}
